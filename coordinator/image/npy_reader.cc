#include "coordinator/image/npy_reader.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/image/file_error.h"
#include "coordinator/image/file_io.h"
#include "coordinator/image/image_header.h"
#include "coordinator/image/npy_header.h"
#include "coordinator/image/tiff_pages.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

absl::StatusOr<std::string> StartOf(const FileWatch& file) {
  std::string start(static_cast<size_t>(std::min(file.bytes(), kNpyHeaderBytesMax)), '\0');
  const auto bytes = absl::MakeSpan(reinterpret_cast<std::byte*>(start.data()), start.size());
  const int error = ReadAll(file.fd(), bytes, 0);
  if (error != 0) return FileError("reading", file.path(), error);
  return start;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ImageReader>> NpyReader::OpenIfNpy(
    const ImageLimits& limits, int64_t page, std::unique_ptr<FileWatch>* file) {
  const std::string& path = (*file)->path();
  TW_ASSIGN_OR_RETURN(const std::string start, StartOf(**file));
  if (!IsNpy(start)) return nullptr;
  const absl::StatusOr<NpyHeader> header = ParseNpyHeader(start);
  if (!header.ok()) {
    return absl::Status(header.status().code(),
                        absl::StrCat("opening ", path, ": ", header.status().message()));
  }
  TW_RETURN_IF_ERROR(CheckLimits(header->size, header->pixel_bytes(), limits, path));
  if (page > 0) return NoSuchPage(**file, page, 1);
  const int64_t told = header->bytes + header->size.area() * header->pixel_bytes();
  if (told != (*file)->bytes()) {
    return absl::DataLossError(absl::StrCat("opening ", path, ": its header tells of ", told,
                                            " bytes, and the file has ", (*file)->bytes(),
                                            ": save the array again"));
  }
  ImageInfo info;
  info.size = header->size;
  info.channels = header->channels;
  info.array = header->channels != 1 && header->channels != 3;
  info.sample = header->sample;
  info.format = std::string(kFormat);
  info.access = ImageAccess::kAnywhere;
  info.file_bytes = (*file)->bytes();
  return std::unique_ptr<ImageReader>(
      new NpyReader(std::move(info), std::move(*file), header->bytes));
}

absl::Status NpyReader::ReadInside(const Rect& rect, absl::Span<std::byte> samples) {
  const int64_t pixel = info().pixel_bytes();
  // Full rows lie one behind the other.
  const bool full = rect.width == info().size.width;
  const int64_t rows_at_once = full ? rect.height : 1;
  const auto bytes = static_cast<size_t>(rows_at_once * rect.width * pixel);
  for (int64_t row = 0; row < rect.height; row += rows_at_once) {
    const int64_t first = (rect.y + row) * info().size.width + rect.x;
    const int error =
        ReadAll(file().fd(), samples.subspan(static_cast<size_t>(row * rect.width * pixel), bytes),
                header_bytes_ + first * pixel);
    if (error != 0) return FileError("reading", file().path(), error);
  }
  return absl::OkStatus();
}

}  // namespace tilewright
