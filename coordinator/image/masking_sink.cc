#include "coordinator/image/masking_sink.h"

#include <optional>
#include <utility>

#include "proto/base/status_macros.h"

namespace tilewright {

absl::StatusOr<MadeBlock> MaskingSink::Keep(const Rect& rect) {
  MadeBlock block;
  block.samples.resize(static_cast<size_t>(rect.area() * format_.pixel_bytes()));
  TW_RETURN_IF_ERROR(source_.Read(rect, PadMode::kZero, absl::MakeSpan(block.samples)));
  // Once it was decoded, so that what is damaged is not copied.
  if (copies_) {
    TW_ASSIGN_OR_RETURN(block.stored, source_.ReadStored(rect));
  }
  return block;
}

absl::StatusOr<MadeBlock> MaskingSink::Make(const Rect& rect, std::vector<std::byte> result) {
  if (result.empty()) return Keep(rect);
  std::vector<std::byte> marks;
  TW_ASSIGN_OR_RETURN(const bool marked, mask_.Marks(rect, marks));
  if (!marked) {
    result = {};
    return Keep(rect);
  }
  std::vector<std::byte> source(result.size());
  TW_RETURN_IF_ERROR(source_.Read(rect, PadMode::kZero, absl::MakeSpan(source)));
  ApplyMask(format_.sample, format_.channels, source, mask_.sample(), marks,
            absl::MakeSpan(result));
  return MadeBlock{std::move(result), std::nullopt};
}

absl::Status MaskingSink::WriteBlock(int64_t column, int64_t row,
                                     absl::Span<const std::byte> samples) {
  Rect rect = format_.BlockRect(column, row);
  rect.x += x_;
  rect.y += y_;
  std::vector<std::byte> result;
  if (!mask_.KnownEmpty(rect)) result.assign(samples.begin(), samples.end());
  // The result, the source, and the mask or what is stored of the source: its tiles are whole, also
  // at a border.
  const int64_t bytes_max = 3 * kBlockSide * kBlockSide * format_.pixel_bytes();
  return next_.MakeBlock(column, row, bytes_max,
                         [this, rect, result = std::move(result)]() mutable {
                           absl::StatusOr<MadeBlock> made = Make(rect, std::move(result));
                           if (!made.ok()) {
                             absl::MutexLock lock(&mu_);
                             input_error_.Update(made.status());
                           }
                           return made;
                         });
}

absl::Status MaskingSink::input_error() const {
  absl::MutexLock lock(&mu_);
  return input_error_;
}

}  // namespace tilewright
