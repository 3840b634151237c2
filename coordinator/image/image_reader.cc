#include "coordinator/image/image_reader.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "coordinator/image/image_header.h"
#include "coordinator/image/npy_reader.h"
#include "coordinator/image/sequential_reader.h"
#include "coordinator/image/tiled_tiff_reader.h"
#include "coordinator/merge/padding.h"
#include "proto/base/status_macros.h"

namespace tilewright {
int64_t ReaderMemory(const ImageInfo& info, int64_t rows) {
  if (info.format == NpyReader::kFormat) return 0;
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

int64_t DecoderMemory(const ImageInfo& info) {
  if (info.access == ImageAccess::kAnywhere) return 0;
  // Measured with libvips 8.14: its cache of lines has 32 strips of 16 rows, and each of up to
  // three conversions a buffer of the rows that are asked for at once.
  constexpr int64_t kCachedRows = 512;
  const int64_t row_bytes = info.size.width * info.pixel_bytes();
  const int64_t rows = kCachedRows + 3 * SequentialReader::StepRows(row_bytes);
  return std::min(rows, info.size.height) * row_bytes;
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
  const absl::Status status = ReadPadded(
      rect, info_.size, pad, pixel_bytes, samples,
      [this](const Rect& inside, absl::Span<std::byte> into) { return ReadInside(inside, into); });
  // A file that was changed is often damaged as well; that it was changed is what helps. Looked at
  // after reading: a change that this does not see yet came too late for these pixels.
  TW_RETURN_IF_ERROR(CheckUnchanged());
  return status;
}

absl::StatusOr<std::unique_ptr<ImageReader>> ImageReader::Open(const std::string& path,
                                                               const ImageLimits& limits,
                                                               int64_t page) {
  TW_ASSIGN_OR_RETURN(std::unique_ptr<FileWatch> file, FileWatch::Open(path));
  TW_ASSIGN_OR_RETURN(std::unique_ptr<ImageReader> array,
                      NpyReader::OpenIfNpy(limits, page, &file));
  if (array != nullptr) return array;
  TW_ASSIGN_OR_RETURN(ImageHeader header, ReadHeader(*file, limits, page));
  if (header.info.format == "tiff") {
    TW_ASSIGN_OR_RETURN(std::unique_ptr<ImageReader> tiled,
                        TiledTiffReader::OpenIfTiled(header.info, header.tiff_directory, &file));
    if (tiled != nullptr) return tiled;
  }
  return std::make_unique<SequentialReader>(std::move(header), std::move(file));
}

}  // namespace tilewright
