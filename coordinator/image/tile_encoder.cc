#include "coordinator/image/tile_encoder.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "coordinator/image/jpeg_tables.h"

namespace tilewright {

namespace {

int TablesMode(const TiffEncoding& encoding) {
  if (!encoding.jpeg.has_value()) return 0;
  const absl::StatusOr<JpegStream> shared = ParseJpegStream(encoding.jpeg->tables);
  if (!shared.ok()) return 0;
  return (shared->HasQuantTables() ? JPEGTABLESMODE_QUANT : 0) |
         (shared->HasHuffmanTables() ? JPEGTABLESMODE_HUFF : 0);
}

}  // namespace

TileEncoder::TileEncoder(const CanvasFormat& format, const TiffEncoding& encoding)
    : format_(format), encoding_(encoding), tables_mode_(TablesMode(encoding)) {
  format_.size = {encoding.tile_side, encoding.tile_side};
}

TileEncoder::~TileEncoder() { Close(); }

absl::StatusOr<absl::Span<const std::byte>> TileEncoder::Encode(absl::Span<std::byte> tile) {
  file_.clear();
  bool good = Open("tile", "w8l") && DescribeSamples(tiff(), format_, encoding_);
  if (good && encoding_.compression == Compression::kJpeg) {
    good = TIFFSetField(tiff(), TIFFTAG_JPEGQUALITY, encoding_.jpeg_quality) == 1 &&
           TIFFSetField(tiff(), TIFFTAG_JPEGTABLESMODE, tables_mode_) == 1 &&
           (PhotometricOf(format_, encoding_) != PHOTOMETRIC_YCBCR ||
            TIFFSetField(tiff(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB) == 1);
  }
  const size_t begin = file_.size();
  good =
      good && TIFFWriteEncodedTile(tiff(), 0, tile.data(), static_cast<tmsize_t>(tile.size())) >= 0;
  const size_t end = file_.size();
  uint32_t tables_bytes = 0;
  const void* tables = nullptr;
  if (good && tables_mode_ != 0 &&
      TIFFGetField(tiff(), TIFFTAG_JPEGTABLES, &tables_bytes, &tables) == 1) {
    const auto* const first = static_cast<const std::byte*>(tables);
    tables_.assign(first, first + tables_bytes);
  }
  Close();
  if (!good || end == begin) {
    return absl::InternalError(absl::StrCat("libtiff could not compress a block: ",
                                            complaint().empty() ? "no reason" : complaint()));
  }
  return absl::MakeConstSpan(file_).subspan(begin, end - begin);
}

int64_t TileEncoder::ReadAt(void* data, int64_t size, int64_t offset) {
  const int64_t readable = std::clamp<int64_t>(End() - offset, 0, size);
  if (readable > 0) std::memcpy(data, file_.data() + offset, static_cast<size_t>(readable));
  return readable;
}

bool TileEncoder::WriteAt(const void* data, int64_t size, int64_t offset) {
  if (End() < offset + size) file_.resize(static_cast<size_t>(offset + size));
  std::memcpy(file_.data() + offset, data, static_cast<size_t>(size));
  return true;
}

}  // namespace tilewright
