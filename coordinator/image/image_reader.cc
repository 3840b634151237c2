#include "coordinator/image/image_reader.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "coordinator/image/image_header.h"
#include "coordinator/image/sequential_reader.h"
#include "coordinator/image/tiled_tiff_reader.h"
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

int64_t ReaderMemory(const ImageInfo& info, int64_t rows) {
  const int64_t row_bytes = info.size.width * info.pixel_bytes();
  if (info.access == ImageAccess::kAnywhere) {
    const int64_t decoded = info.size.height * row_bytes + info.tile_bytes;
    return std::min(TiledTiffReader::kCacheBytesMax, decoded) +
           2 * TiledTiffReader::kHandlesMax * info.tile_bytes;
  }
  const int64_t window =
      (std::min(rows, info.size.height) + SequentialReader::StepRows(row_bytes)) * row_bytes;
  if (info.access == ImageAccess::kTopDown) return window;
  // A progressive JPEG is held as coefficients of 16 bits.
  const int64_t image = info.size.height * row_bytes * (info.format == "jpeg" ? 2 : 1);
  return window + image + info.file_bytes;
}

absl::Status ImageReader::Damaged(const std::string& reason) const {
  return absl::DataLossError(absl::StrCat("reading ", file_->path(), ": the ", info_.format,
                                          " file is truncated or damaged (", reason, ")"));
}

absl::Status ImageReader::Read(const Rect& rect, PadMode pad, absl::Span<std::byte> samples) {
  const int64_t pixel_bytes = info_.pixel_bytes();
  if (rect.empty() || rect.x < 0 || rect.y < 0 || rect.x >= info_.size.width ||
      rect.y >= info_.size.height ||
      rect.area() * pixel_bytes != static_cast<int64_t>(samples.size())) {
    return absl::InvalidArgumentError(absl::StrCat(
        "reading ", file_->path(), ": ", samples.size(), " bytes for the pixels ", ToString(rect),
        " of an image of ", ToString(info_.size), " pixels of ", pixel_bytes, " bytes"));
  }
  const bool padded = rect.right() > info_.size.width || rect.bottom() > info_.size.height;
  const absl::Status status = padded ? ReadPadded(rect, pad, samples) : ReadInside(rect, samples);
  // A file that was changed is often damaged as well; that it was changed is what helps. Looked at
  // after reading: a change that this does not see yet came too late for these pixels.
  TW_RETURN_IF_ERROR(CheckUnchanged());
  return status;
}

absl::Status ImageReader::ReadPadded(const Rect& rect, PadMode pad, absl::Span<std::byte> samples) {
  Interval columns_used, rows_used;
  const std::vector<int64_t> columns =
      PadSources(rect.horizontal(), info_.size.width, pad, &columns_used);
  const std::vector<int64_t> rows = PadSources(rect.vertical(), info_.size.height, pad, &rows_used);
  const Rect used = Rect::FromIntervals(columns_used, rows_used);
  const auto pixel = static_cast<size_t>(info_.pixel_bytes());
  std::vector<std::byte> inside(static_cast<size_t>(used.area()) * pixel);
  TW_RETURN_IF_ERROR(ReadInside(used, absl::MakeSpan(inside)));

  const size_t run =
      static_cast<size_t>(info_.size.width - rect.x);  // columns that need no padding
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

absl::StatusOr<std::unique_ptr<ImageReader>> ImageReader::Open(const std::string& path,
                                                               const ImageLimits& limits) {
  TW_ASSIGN_OR_RETURN(std::unique_ptr<FileWatch> file, FileWatch::Open(path));
  TW_ASSIGN_OR_RETURN(ImageHeader header, ReadHeader(*file, limits));
  if (header.info.format == "tiff") {
    TW_ASSIGN_OR_RETURN(std::unique_ptr<ImageReader> tiled,
                        TiledTiffReader::OpenIfTiled(header.info, &file));
    if (tiled != nullptr) return tiled;
  }
  return std::make_unique<SequentialReader>(std::move(header), std::move(file));
}

}  // namespace tilewright
