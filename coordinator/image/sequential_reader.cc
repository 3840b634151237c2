#include "coordinator/image/sequential_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

constexpr int64_t kStepBytes = int64_t{4} << 20;
constexpr int64_t kStepRowsMin = 8;
constexpr int64_t kStepRowsMax = 64;

}  // namespace

SequentialReader::SequentialReader(ImageHeader header, std::unique_ptr<FileWatch> file)
    : ImageReader(std::move(header.info), std::move(file)),
      image_(std::move(header.image)),
      row_bytes_(info().size.width * info().pixel_bytes()) {}

int64_t SequentialReader::StepRows(int64_t row_bytes) {
  return std::clamp(kStepBytes / row_bytes, kStepRowsMin, kStepRowsMax);
}

absl::Status SequentialReader::ReadInside(const Rect& rect, absl::Span<std::byte> samples) {
  {
    absl::ReaderMutexLock lock(&mu_);
    if (Holds(rect.vertical())) {
      Copy(rect, samples);
      // Rows above it are still there: whoever reads beside it may need them.
      return absl::OkStatus();
    }
  }
  absl::MutexLock lock(&mu_);
  TW_RETURN_IF_ERROR(MoveTo(rect.vertical()));
  Copy(rect, samples);
  return absl::OkStatus();
}

void SequentialReader::Copy(const Rect& rect, absl::Span<std::byte> samples) const {
  const auto pixel = static_cast<size_t>(info().pixel_bytes());
  const size_t bytes = static_cast<size_t>(rect.width) * pixel;
  std::byte* out = samples.data();
  for (int64_t y = rect.y; y < rect.bottom(); ++y, out += bytes) {
    std::memcpy(out, Row(y) + static_cast<size_t>(rect.x) * pixel, bytes);
  }
}

absl::Status SequentialReader::MoveTo(Interval rows) {
  TW_RETURN_IF_ERROR(broken_);
  if (Holds(rows)) return absl::OkStatus();
  if (rows.begin < window_.begin) {
    return absl::FailedPreconditionError(
        absl::StrCat("reading ", file().path(), ": row ", rows.begin,
                     " was decoded and forgotten; rows before ", window_.begin, " are gone"));
  }
  if (rows.length() > capacity_) {
    const std::vector<std::byte> old = std::move(ring_);
    const int64_t old_capacity = capacity_;
    capacity_ = rows.length();
    ring_ = std::vector<std::byte>(static_cast<size_t>(capacity_ * row_bytes_));
    for (int64_t row = std::max(window_.begin, rows.begin); row < window_.end; ++row) {
      std::memcpy(ring_.data() + (row % capacity_) * row_bytes_,
                  old.data() + (row % old_capacity) * row_bytes_, static_cast<size_t>(row_bytes_));
    }
  }
  window_.begin = std::min(rows.begin, window_.end);
  while (window_.end < rows.end) {
    broken_ = Decode(std::min(StepRows(row_bytes_), rows.end - window_.end), rows.begin);
    TW_RETURN_IF_ERROR(broken_);
  }
  return absl::OkStatus();
}

absl::Status SequentialReader::Decode(int64_t count, int64_t keep_from) {
  // A region belongs to the thread that made it.
  const VipsOwned<VipsRegion> region(vips_region_new(image_.get()));
  const VipsRect area = {0, static_cast<int>(window_.end), static_cast<int>(info().size.width),
                         static_cast<int>(count)};
  if (region == nullptr || vips_region_prepare(region.get(), &area) != 0) {
    return Damaged(TakeVipsError("no details"));
  }
  for (int64_t row = window_.end; row < window_.end + count; ++row) {
    if (row < keep_from) continue;
    std::memcpy(ring_.data() + (row % capacity_) * row_bytes_,
                VIPS_REGION_ADDR(region.get(), 0, row), static_cast<size_t>(row_bytes_));
  }
  window_.end += count;
  window_.begin = std::min(window_.end, std::max(window_.begin, keep_from));
  return absl::OkStatus();
}

}  // namespace tilewright
