#include "coordinator/merge/padding.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

// For each index of `wanted` its source index in [0, size), or -1; `used` becomes the range of the
// sources.
std::vector<int64_t> PadSources(Interval wanted, int64_t size, PadMode pad, Interval* used) {
  std::vector<int64_t> sources(static_cast<size_t>(wanted.length()));
  *used = {size, 0};
  for (size_t i = 0; i < sources.size(); ++i) {
    const int64_t index = wanted.begin + static_cast<int64_t>(i);
    sources[i] = index < size ? index : PadSource(index, size, pad);
    if (sources[i] < 0) continue;
    *used = {std::min(used->begin, sources[i]), std::max(used->end, sources[i] + 1)};
  }
  return sources;
}

}  // namespace

Rect PixelsTaken(const Rect& rect, Size image, PadMode pad) {
  if (rect.right() <= image.width && rect.bottom() <= image.height) return rect;
  Interval columns, rows;
  PadSources(rect.horizontal(), image.width, pad, &columns);
  PadSources(rect.vertical(), image.height, pad, &rows);
  return Rect::FromIntervals(columns, rows);
}

absl::Status ReadPadded(
    const Rect& rect, Size image, PadMode pad, int64_t pixel_bytes, absl::Span<std::byte> samples,
    const std::function<absl::Status(const Rect&, absl::Span<std::byte>)>& read) {
  if (rect.right() <= image.width && rect.bottom() <= image.height) return read(rect, samples);
  Interval columns_used, rows_used;
  const std::vector<int64_t> columns =
      PadSources(rect.horizontal(), image.width, pad, &columns_used);
  const std::vector<int64_t> rows = PadSources(rect.vertical(), image.height, pad, &rows_used);
  const Rect used = Rect::FromIntervals(columns_used, rows_used);
  const auto pixel = static_cast<size_t>(pixel_bytes);
  std::vector<std::byte> inside(static_cast<size_t>(used.area()) * pixel);
  TW_RETURN_IF_ERROR(read(used, absl::MakeSpan(inside)));

  const auto run = static_cast<size_t>(image.width - rect.x);  // columns that need no padding
  const size_t copied = std::min(run, columns.size()) * pixel;
  std::byte* out = samples.data();
  for (const int64_t row : rows) {
    if (row < 0) {
      std::memset(out, 0, columns.size() * pixel);
      out += columns.size() * pixel;
      continue;
    }
    const std::byte* const in =
        inside.data() + static_cast<size_t>((row - used.y) * used.width) * pixel;
    std::memcpy(out, in + static_cast<size_t>(rect.x - used.x) * pixel, copied);
    out += copied;
    for (size_t i = copied / pixel; i < columns.size(); ++i, out += pixel) {
      if (columns[i] < 0) {
        std::memset(out, 0, pixel);
      } else {
        std::memcpy(out, in + static_cast<size_t>(columns[i] - used.x) * pixel, pixel);
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace tilewright
