#include "coordinator/image/file_hash.h"

#include <memory>
#include <vector>

#include "coordinator/image/image_reader.h"
#include "coordinator/merge/canvas.h"
#include "coordinator/merge/pixel_hash.h"
#include "proto/base/status_macros.h"

namespace tilewright {

absl::StatusOr<uint64_t> PixelHashOfFile(const std::string& path) {
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<ImageReader> reader, ImageReader::Open(path, {}));
  const ImageInfo& info = reader->info();
  const CanvasFormat format = {info.size, info.channels, info.sample};
  PixelHash hash(format);
  std::vector<std::byte> samples;
  for (int64_t row = 0; row < format.block_rows(); ++row) {
    for (int64_t column = 0; column < format.block_columns(); ++column) {
      const Rect rect = format.BlockRect(column, row);
      samples.resize(static_cast<size_t>(rect.area() * format.pixel_bytes()));
      TW_RETURN_IF_ERROR(reader->Read(rect, PadMode::kZero, absl::MakeSpan(samples)));
      hash.AddBlock(column, row, samples);
    }
  }
  return hash.Finish();
}

}  // namespace tilewright
