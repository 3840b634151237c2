#include "coordinator/image/tiff_canvas.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/image/file_error.h"
#include "coordinator/image/file_io.h"
#include "coordinator/image/tiff_stream.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

constexpr double kMmPerInch = 25.4;
constexpr double kMmPerCm = 10.0;
// The tags of a directory but for the places of its tiles and the profile: a few hundred bytes.
constexpr int64_t kTagBytesMax = 4096;

bool WritesDotsPerInch(double pixels_per_mm) {
  const double dots = pixels_per_mm * kMmPerInch;
  return std::abs(dots - std::round(dots)) < 1e-6 * dots;
}

}  // namespace

// The file under libtiff, with the first error of the system. Its tiles were written without
// libtiff, which is only told where they lie.
class TiffCanvas::File : public TiffStream {
 public:
  File(int fd, const std::string& path) : fd_(fd), path_(path) {}
  // A file that was not finished stays as it is: libtiff would write a directory over tiles that it
  // does not know of.
  ~File() override {
    ignoring_ = true;
    Close();
  }

  absl::Status Start() { return Open(path_, "w8l") ? absl::OkStatus() : Error("creating"); }
  int64_t end() const { return end_; }

  absl::Status Error(absl::string_view doing) const {
    if (error_number_ != 0) return FileError(doing, path_, error_number_);
    return absl::InternalError(absl::StrCat(doing, " ", path_, ": libtiff says: ",
                                            complaint().empty() ? "no reason given" : complaint()));
  }

  absl::Status WriteTiles(absl::Span<const std::byte> tiles, int64_t offset) const {
    const int error = WriteAll(fd_, tiles, offset);
    return error == 0 ? absl::OkStatus() : FileError("writing", path_, error);
  }

  // DATA_LOSS unless the file holds the tile, before `end`.
  absl::Status CheckTile(const TiffTile& tile, int64_t end) const {
    std::vector<std::byte> bytes;
    int error = EIO;
    if (tile.offset >= 0 && tile.bytes > 0 && tile.bytes <= end - tile.offset) {
      bytes.resize(static_cast<size_t>(tile.bytes));
      error = ReadAll(fd_, absl::MakeSpan(bytes), tile.offset);
    }
    if (error == 0 && XXH3_64bits(bytes.data(), bytes.size()) == tile.checksum) {
      return absl::OkStatus();
    }
    return absl::DataLossError(absl::StrCat(path_, " does not hold the ", tile.bytes,
                                            " bytes that were written at ", tile.offset));
  }

  absl::Status CutOff(int64_t end) const {
    return ftruncate(fd_, end) == 0 ? absl::OkStatus() : FileError("shortening", path_, errno);
  }

  // Makes sure that `bytes` can be written from `offset` on, where the file system can tell.
  absl::Status Reserve(int64_t offset, int64_t bytes) const {
    if (fallocate(fd_, FALLOC_FL_KEEP_SIZE, offset, bytes) == 0) return absl::OkStatus();
    if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINTR) return absl::OkStatus();
    return FileError("writing the directory of", path_, errno);
  }

  // The first directory describes the image, later ones its reduced images.
  bool Describe(const TiffCanvasOptions& options, int level);
  // Tells libtiff where the tiles of the directory lie, and writes it behind `end`.
  bool WriteDirectory(const std::vector<Extent>& extents, int64_t end);
  // Whether libtiff has written all and complained of nothing.
  bool Finish() {
    Close();
    return error_number_ == 0 && complaint().empty();
  }

 private:
  int64_t ReadAt(void* data, int64_t size, int64_t offset) override {
    int64_t done = 0;
    while (done < size) {
      const ssize_t n = pread(fd_, static_cast<char*>(data) + done,
                              static_cast<size_t>(size - done), static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      done += n;
    }
    return done;
  }

  bool WriteAt(const void* data, int64_t size, int64_t offset) override {
    if (ignoring_) return true;
    const int error = WriteAll(
        fd_, absl::MakeConstSpan(static_cast<const std::byte*>(data), static_cast<size_t>(size)),
        offset);
    if (error != 0 && error_number_ == 0) error_number_ = error;
    end_ = std::max(end_, offset + size);
    return error == 0;
  }

  int64_t End() override { return end_; }

  const int fd_;
  const std::string path_;
  int error_number_ = 0;
  bool ignoring_ = false;  // what libtiff writes: it appends what lies at end_ already, or ends
  int64_t end_ = 0;
};

bool TiffCanvas::File::Describe(const TiffCanvasOptions& options, int level) {
  const ImageMetadata& metadata = options.metadata;
  bool good = DescribeSamples(tiff(), LevelFormat(options.format, level), options.encoding);
  const auto set = [&](uint32_t tag, auto... values) {
    good = good && TIFFSetField(tiff(), tag, values...) == 1;
  };
  set(TIFFTAG_ORIENTATION, metadata.orientation);
  set(TIFFTAG_SOFTWARE, "Tilewright");
  if (options.encoding.jpeg.has_value() && !options.encoding.jpeg->tables.empty()) {
    const std::vector<std::byte>& tables = options.encoding.jpeg->tables;
    set(TIFFTAG_JPEGTABLES, static_cast<uint32_t>(tables.size()),
        static_cast<const void*>(tables.data()));
  }
  if (level > 0) {
    set(TIFFTAG_SUBFILETYPE, FILETYPE_REDUCEDIMAGE);
    return good;
  }
  if (metadata.x_pixels_per_mm > 0 && metadata.y_pixels_per_mm > 0) {
    const bool inch =
        WritesDotsPerInch(metadata.x_pixels_per_mm) && WritesDotsPerInch(metadata.y_pixels_per_mm);
    const double mm = inch ? kMmPerInch : kMmPerCm;
    set(TIFFTAG_RESOLUTIONUNIT, inch ? RESUNIT_INCH : RESUNIT_CENTIMETER);
    set(TIFFTAG_XRESOLUTION, metadata.x_pixels_per_mm * mm);
    set(TIFFTAG_YRESOLUTION, metadata.y_pixels_per_mm * mm);
  }
  if (!metadata.icc_profile.empty()) {
    set(TIFFTAG_ICCPROFILE, static_cast<uint32_t>(metadata.icc_profile.size()),
        static_cast<const void*>(metadata.icc_profile.data()));
  }
  if (!metadata.xmp.empty()) {
    set(TIFFTAG_XMLPACKET, static_cast<uint32_t>(metadata.xmp.size()),
        static_cast<const void*>(metadata.xmp.data()));
  }
  return good;
}

bool TiffCanvas::File::WriteDirectory(const std::vector<Extent>& extents, int64_t end) {
  std::byte unread{};  // libtiff passes it on to WriteAt, which does not look at it
  ignoring_ = true;
  bool good = true;
  for (size_t i = 0; good && i < extents.size(); ++i) {
    end_ = extents[i].offset;
    good = TIFFWriteRawTile(tiff(), static_cast<uint32_t>(i), &unread, extents[i].bytes) >= 0;
  }
  ignoring_ = false;
  end_ = end;
  return good && TIFFWriteDirectory(tiff()) == 1;
}

TiffCanvas::TiffCanvas(std::unique_ptr<File> file, const TiffCanvasOptions& options)
    : file_(std::move(file)), options_(options), end_(file_->end()) {
  for (int level = 0; level < options.levels; ++level) {
    const Size size = LevelFormat(options.format, level).size;
    const int64_t side = options.encoding.tile_side;
    extents_.emplace_back(
        static_cast<size_t>(tile_columns(level) * ((size.height + side - 1) / side)));
  }
}

TiffCanvas::~TiffCanvas() = default;

absl::StatusOr<std::unique_ptr<TiffCanvas>> TiffCanvas::Create(int fd, const std::string& path,
                                                               const TiffCanvasOptions& options) {
  TW_RETURN_IF_ERROR(CheckEncoding(options.encoding, options.format));
  auto file = std::make_unique<File>(fd, path);
  TW_RETURN_IF_ERROR(file->Start());
  // Now, so that what libtiff refuses is known before anything is computed.
  if (!file->Describe(options, 0)) return file->Error("describing the image in");
  return std::unique_ptr<TiffCanvas>(new TiffCanvas(std::move(file), options));
}

int64_t TiffCanvas::tile_columns(int level) const {
  const int64_t side = options_.encoding.tile_side;
  return (LevelFormat(options_.format, level).size.width + side - 1) / side;
}

std::unique_ptr<BlockCodec> TiffCanvas::TakeCodec() {
  {
    absl::MutexLock lock(&mu_);
    if (!codecs_.empty()) {
      std::unique_ptr<BlockCodec> codec = std::move(codecs_.back());
      codecs_.pop_back();
      return codec;
    }
  }
  return std::make_unique<BlockCodec>(options_.format, options_.encoding);
}

std::vector<size_t> TiffCanvas::TilesOf(int level, int64_t column, int64_t row) const {
  const int64_t tiles_a_side = kBlockSide / options_.encoding.tile_side;
  const int64_t columns = tile_columns(level);
  const auto rows = static_cast<int64_t>(extents_[static_cast<size_t>(level)].size()) / columns;
  std::vector<size_t> of_block;
  for (int64_t y = row * tiles_a_side; y < std::min(rows, (row + 1) * tiles_a_side); ++y) {
    for (int64_t x = column * tiles_a_side; x < std::min(columns, (column + 1) * tiles_a_side);
         ++x) {
      of_block.push_back(static_cast<size_t>(y * columns + x));
    }
  }
  return of_block;
}

std::vector<TiffCanvas::Extent*> TiffCanvas::ExtentsOf(int level, int64_t column, int64_t row) {
  std::vector<Extent*> of_block;
  for (const size_t tile : TilesOf(level, column, row)) {
    of_block.push_back(&extents_[static_cast<size_t>(level)][tile]);
  }
  return of_block;
}

int64_t TiffCanvas::Place(int level, int64_t column, int64_t row, const EncodedBlock& block) {
  std::vector<uint64_t> checksums;
  const std::byte* tile = block.bytes.data();
  for (const int64_t bytes : block.tile_bytes) {
    checksums.push_back(XXH3_64bits(tile, static_cast<size_t>(bytes)));
    tile += bytes;
  }
  absl::MutexLock lock(&mu_);
  const std::vector<Extent*> extents = ExtentsOf(level, column, row);
  assert(extents.size() == block.tile_bytes.size());
  // A block is compressed to the same bytes each time.
  if (extents[0]->bytes > 0) return extents[0]->offset;
  for (size_t i = 0; i < extents.size(); ++i) {
    *extents[i] = {end_, block.tile_bytes[i], checksums[i], false};
    end_ += block.tile_bytes[i];
  }
  return extents[0]->offset;
}

absl::Status TiffCanvas::WriteBlock(int level, int64_t column, int64_t row,
                                    absl::Span<const std::byte> samples) {
  const CanvasFormat format = LevelFormat(options_.format, level);
  std::unique_ptr<BlockCodec> codec = TakeCodec();
  const absl::StatusOr<EncodedBlock> block =
      codec->Encode(format.BlockRect(column, row).size(), samples);
  absl::Status status = block.ok() ? WriteEncoded(level, column, row, *block) : block.status();
  absl::MutexLock lock(&mu_);
  codecs_.push_back(std::move(codec));
  return status;
}

absl::Status TiffCanvas::WriteEncoded(int level, int64_t column, int64_t row,
                                      const EncodedBlock& block) {
  TW_RETURN_IF_ERROR(file_->WriteTiles(block.bytes, Place(level, column, row, block)));
  absl::MutexLock lock(&mu_);
  for (Extent* extent : ExtentsOf(level, column, row)) extent->written = true;
  return absl::OkStatus();
}

TiffState TiffCanvas::Save() const {
  absl::MutexLock lock(&mu_);
  TiffState state;
  state.end = end_;
  for (const std::vector<Extent>& extents : extents_) {
    std::vector<TiffTile>& tiles = state.levels.emplace_back();
    tiles.reserve(extents.size());
    for (const Extent& extent : extents) {
      assert(extent.written == (extent.bytes > 0));
      tiles.push_back({extent.offset, extent.bytes, extent.checksum});
    }
  }
  return state;
}

absl::Status TiffCanvas::Restore(const TiffState& state, const Interrupt* interrupt) {
  absl::MutexLock lock(&mu_);
  bool fits = state.levels.size() == extents_.size() && state.end >= end_;
  for (size_t level = 0; fits && level < extents_.size(); ++level) {
    fits = state.levels[level].size() == extents_[level].size();
  }
  if (!fits) {
    return absl::InvalidArgumentError("what was written before belongs to another picture");
  }
  for (size_t level = 0; level < extents_.size(); ++level) {
    for (size_t i = 0; i < extents_[level].size(); ++i) {
      const TiffTile& tile = state.levels[level][i];
      if (tile.bytes == 0) continue;
      TW_RETURN_IF_ERROR(CheckInterrupt(interrupt));
      TW_RETURN_IF_ERROR(file_->CheckTile(tile, state.end));
      extents_[level][i] = {tile.offset, tile.bytes, tile.checksum, true};
    }
  }
  end_ = state.end;
  return file_->CutOff(end_);
}

bool TiffCanvas::Holds(int level, int64_t column, int64_t row) const {
  absl::MutexLock lock(&mu_);
  const std::vector<Extent>& extents = extents_[static_cast<size_t>(level)];
  const std::vector<size_t> tiles = TilesOf(level, column, row);
  return std::all_of(tiles.begin(), tiles.end(),
                     [&extents](size_t tile) { return extents[tile].written; });
}

int64_t TiffCanvas::DirectoryBytes() const {
  int64_t bytes =
      static_cast<int64_t>(options_.metadata.icc_profile.size() + options_.metadata.xmp.size());
  for (int level = 0; level < options_.levels; ++level) {
    const Size size = LevelFormat(options_.format, level).size;
    const int64_t side = options_.encoding.tile_side;
    bytes += kTagBytesMax + tile_columns(level) * ((size.height + side - 1) / side) * 16;
  }
  return bytes;
}

absl::Status TiffCanvas::Finish() {
  absl::MutexLock lock(&mu_);
  TW_RETURN_IF_ERROR(file_->Reserve(end_, DirectoryBytes()));
  for (int level = 0; level < options_.levels; ++level) {
    const bool good = (level == 0 || file_->Describe(options_, level)) &&
                      file_->WriteDirectory(extents_[static_cast<size_t>(level)], end_);
    // libtiff cannot do it again, so this is no IsNoRoom, whatever its cause.
    if (!good) return NotForRoom(file_->Error("writing the directory of"));
    end_ = file_->end();
  }
  return file_->Finish() ? absl::OkStatus() : NotForRoom(file_->Error("closing"));
}

absl::Status TiffCanvas::PlaceMissing() {
  const int64_t side = options_.encoding.tile_side;
  const std::vector<std::byte> zero(
      static_cast<size_t>(side * side * options_.format.pixel_bytes()));
  std::unique_ptr<BlockCodec> codec = TakeCodec();
  TW_ASSIGN_OR_RETURN(const EncodedBlock block, codec->Encode({side, side}, zero));
  // All missing tiles share this one.
  absl::MutexLock lock(&mu_);
  const Extent shared{end_, block.tile_bytes[0], 0, true};
  TW_RETURN_IF_ERROR(file_->WriteTiles(block.bytes, shared.offset));
  end_ += shared.bytes;
  for (std::vector<Extent>& extents : extents_) {
    for (Extent& extent : extents) {
      if (!extent.written) extent = shared;
    }
  }
  return absl::OkStatus();
}

absl::Status TiffCanvas::FinishPartial() {
  TW_RETURN_IF_ERROR(PlaceMissing());
  return Finish();
}

}  // namespace tilewright
