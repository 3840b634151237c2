#include "coordinator/image/masking_sink.h"

#include <optional>
#include <utility>

#include "proto/base/status_macros.h"

namespace tilewright {

absl::StatusOr<bool> MaskingSink::ReadInputs(const Rect& rect) {
  TW_RETURN_IF_ERROR(source_.Read(rect, PadMode::kZero, absl::MakeSpan(source_samples_)));
  return mask_.Marks(rect, mask_samples_);
}

absl::Status MaskingSink::Keep(int64_t column, int64_t row, const Rect& rect) {
  // It was decoded before, so that what is damaged is not copied.
  absl::StatusOr<std::optional<StoredBlock>> stored = std::nullopt;
  if (copies_) stored = source_.ReadStored(rect);
  input_error_ = stored.status();
  TW_RETURN_IF_ERROR(input_error_);
  if (!stored->has_value()) return next_.WriteBlock(column, row, source_samples_);
  TW_RETURN_IF_ERROR(next_.CopyBlock(column, row, source_samples_, **std::move(stored)));
  ++blocks_copied_;
  return absl::OkStatus();
}

absl::Status MaskingSink::WriteBlock(int64_t column, int64_t row,
                                     absl::Span<const std::byte> samples) {
  Rect rect = format_.BlockRect(column, row);
  rect.x += x_;
  rect.y += y_;
  source_samples_.resize(samples.size());
  const absl::StatusOr<bool> marked = ReadInputs(rect);
  input_error_ = marked.status();
  TW_RETURN_IF_ERROR(input_error_);
  if (!*marked) return Keep(column, row, rect);
  result_.assign(samples.begin(), samples.end());
  ApplyMask(format_.sample, format_.channels, source_samples_, mask_.sample(), mask_samples_,
            absl::MakeSpan(result_));
  return next_.WriteBlock(column, row, result_);
}

}  // namespace tilewright
