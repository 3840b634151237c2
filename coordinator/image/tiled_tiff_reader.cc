#include "coordinator/image/tiled_tiff_reader.h"

#include <cstring>
#include <string>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "coordinator/image/any_set.h"
#include "coordinator/image/file_io.h"
#include "coordinator/image/jpeg_tables.h"
#include "coordinator/image/tiff_handle.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

// Of the tables that all tiles share; there can be 64 KiB of each of their kinds.
constexpr uint32_t kJpegTablesBytesMax = uint32_t{1} << 18;

// LZW before TIFF 6.0, with its bits in another order, which few programs read.
bool IsOldLzw(absl::Span<const std::byte> tile) {
  return tile.size() >= 2 && tile[0] == std::byte{0} && (tile[1] & std::byte{1}) != std::byte{0};
}

bool MayBeCopied(absl::Span<const std::byte> tile, const TileStorage& storage) {
  switch (storage.compression) {
    case Compression::kLzw:
      return !IsOldLzw(tile);
    case Compression::kJpeg:
      return ReadsAlone(tile, storage.jpeg.tables);
    default:
      return true;
  }
}

}  // namespace

// One libtiff handle, for one thread at a time.
class TiledTiffReader::Handle {
 public:
  // It stands at the directory that lies at `directory` in the file.
  static absl::StatusOr<std::unique_ptr<Handle>> Open(const FileWatch& file, uint64_t directory) {
    TW_ASSIGN_OR_RETURN(std::unique_ptr<TiffHandle> tiff, TiffHandle::Open(file));
    if (TIFFCurrentDirOffset(tiff->get()) != directory &&
        TIFFSetSubDirectory(tiff->get(), directory) != 1) {
      return absl::DataLossError(absl::StrCat("opening ", file.path(),
                                              ": the tiff file is truncated or damaged (",
                                              tiff->complaint(), ")"));
    }
    return std::make_unique<Handle>(std::move(tiff));
  }
  explicit Handle(std::unique_ptr<TiffHandle> tiff) : tiff_(std::move(tiff)) {}

  template <typename T>
  T Field(uint32_t tag) const {
    return tiff_->Field<T>(tag);
  }

  bool tiled() const { return TIFFIsTiled(tiff_->get()) != 0; }
  // Whether each channel has tiles of its own, which neither we nor libvips put together.
  bool planes() const {
    return Field<uint16_t>(TIFFTAG_SAMPLESPERPIXEL) > 1 &&
           Field<uint16_t>(TIFFTAG_PLANARCONFIG) == PLANARCONFIG_SEPARATE;
  }
  Size tile() const {
    return {Field<uint32_t>(TIFFTAG_TILEWIDTH), Field<uint32_t>(TIFFTAG_TILELENGTH)};
  }
  bool packed() const { return Field<uint16_t>(TIFFTAG_COMPRESSION) != COMPRESSION_NONE; }
  // Where the tile lies in the file, and how many bytes it has there; 0: nowhere.
  uint64_t Offset(uint32_t index) const { return TIFFGetStrileOffset(tiff_->get(), index); }
  uint64_t Bytes(uint32_t index) const { return TIFFGetStrileByteCount(tiff_->get(), index); }

  // Whether libtiff's samples are those of `info`.
  bool Gives(const ImageInfo& info) {
    const auto channels = Field<uint16_t>(TIFFTAG_SAMPLESPERPIXEL);
    const auto bits = Field<uint16_t>(TIFFTAG_BITSPERSAMPLE);
    const auto sample = Field<uint16_t>(TIFFTAG_SAMPLEFORMAT);
    const auto colours = Field<uint16_t>(TIFFTAG_PHOTOMETRIC);
    const bool jpeg = Field<uint16_t>(TIFFTAG_COMPRESSION) == COMPRESSION_JPEG;
    if (jpeg && colours == PHOTOMETRIC_YCBCR) {
      TIFFSetField(tiff_->get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    }
    uint16_t extra_count = 0;
    const uint16_t* extra = nullptr;
    TIFFGetFieldDefaulted(tiff_->get(), TIFFTAG_EXTRASAMPLES, &extra_count, &extra);
    const bool premultiplied = extra_count > 0 && extra[0] == EXTRASAMPLE_ASSOCALPHA;
    const bool grey = colours == PHOTOMETRIC_MINISBLACK && channels <= 2;
    const bool rgb = channels >= 3 && (colours == PHOTOMETRIC_RGB ||
                                       (colours == PHOTOMETRIC_YCBCR && jpeg && channels == 3));
    const bool array = info.array && colours == PHOTOMETRIC_MINISBLACK;
    const bool floating = info.sample == SampleType::kF32;
    return (grey || rgb || array) && !premultiplied && channels == info.channels &&
           bits == 8 * BytesPerSample(info.sample) &&
           sample == (floating ? SAMPLEFORMAT_IEEEFP : SAMPLEFORMAT_UINT) &&
           TIFFIsCODECConfigured(Field<uint16_t>(TIFFTAG_COMPRESSION)) != 0 &&
           info.size ==
               Size{Field<uint32_t>(TIFFTAG_IMAGEWIDTH), Field<uint32_t>(TIFFTAG_IMAGELENGTH)};
  }

  // How the tiles are stored, if in a way in which an output's may be.
  std::optional<TileStorage> Storage(const ImageInfo& info) const {
    TileStorage storage;
    switch (Field<uint16_t>(TIFFTAG_COMPRESSION)) {
      case COMPRESSION_ADOBE_DEFLATE:
      case COMPRESSION_DEFLATE:  // its older number
        storage.compression = Compression::kDeflate;
        break;
      case COMPRESSION_ZSTD:
        storage.compression = Compression::kZstd;
        break;
      case COMPRESSION_LZW:
        storage.compression = Compression::kLzw;
        break;
      case COMPRESSION_JPEG:
        storage.compression = Compression::kJpeg;
        if (!FillJpeg(&storage.jpeg)) return std::nullopt;
        break;
      default:
        return std::nullopt;
    }
    const auto predictor = storage.compression == Compression::kJpeg
                               ? uint16_t{PREDICTOR_NONE}  // it does not know the tag
                               : Field<uint16_t>(TIFFTAG_PREDICTOR);
    const bool swapped = TIFFIsByteSwapped(tiff_->get()) != 0 && BytesPerSample(info.sample) > 1;
    if (swapped || tile().width != tile().height ||
        Field<uint16_t>(TIFFTAG_FILLORDER) != FILLORDER_MSB2LSB ||
        (predictor != PREDICTOR_NONE && predictor != PREDICTOR_HORIZONTAL)) {
      return std::nullopt;
    }
    storage.side = tile().width;
    storage.predictor = predictor == PREDICTOR_HORIZONTAL;
    storage.channels = info.channels;
    storage.sample = info.sample;
    return storage;
  }

  // False: in a way in which an output's tiles never are.
  bool FillJpeg(JpegLayout* jpeg) const {
    jpeg->ycbcr = Field<uint16_t>(TIFFTAG_PHOTOMETRIC) == PHOTOMETRIC_YCBCR;
    if (jpeg->ycbcr) {
      uint16_t across = 0;
      uint16_t down = 0;
      TIFFGetFieldDefaulted(tiff_->get(), TIFFTAG_YCBCRSUBSAMPLING, &across, &down);
      if (across != down) return false;
      jpeg->chroma_step = across;
    }
    uint32_t bytes = 0;
    const void* tables = nullptr;
    if (TIFFGetField(tiff_->get(), TIFFTAG_JPEGTABLES, &bytes, &tables) == 1) {
      if (bytes > kJpegTablesBytesMax) return false;
      const auto* const first = static_cast<const std::byte*>(tables);
      jpeg->tables.assign(first, first + bytes);
    }
    return true;
  }

  // False: see reason().
  bool Decode(uint32_t index, std::vector<std::byte>& samples) {
    tiff_->Forget();
    const auto size = static_cast<tmsize_t>(samples.size());
    return TIFFReadEncodedTile(tiff_->get(), index, samples.data(), size) == size &&
           tiff_->complaint().empty();
  }
  std::string reason() const {
    return tiff_->complaint().empty() ? "a tile is too short" : tiff_->complaint();
  }

 private:
  const std::unique_ptr<TiffHandle> tiff_;
};

absl::StatusOr<std::unique_ptr<ImageReader>> TiledTiffReader::OpenIfTiled(
    const ImageInfo& info, uint64_t directory, std::unique_ptr<FileWatch>* file) {
  TW_ASSIGN_OR_RETURN(std::unique_ptr<Handle> handle, Handle::Open(**file, directory));
  if (!handle->tiled()) return nullptr;
  if (handle->planes()) {
    return absl::InvalidArgumentError(
        absl::StrCat("opening ", (*file)->path(),
                     ": each channel has tiles of its own; put them together first, for instance "
                     "with tiffcp -p contig"));
  }
  if (!handle->Gives(info)) return nullptr;
  const Size tile = handle->tile();
  if (tile.area() > kTileBytesMax / info.pixel_bytes()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("opening ", (*file)->path(), ": its tiles have ", ToString(tile),
                     " pixels of ", info.pixel_bytes(), " bytes; the limit is ", kTileBytesMax,
                     " bytes a tile: convert it to smaller tiles"));
  }
  ImageInfo tiled = info;
  tiled.access = ImageAccess::kAnywhere;
  tiled.tile_bytes = tile.area() * info.pixel_bytes();
  tiled.storage = handle->Storage(info);
  return std::unique_ptr<ImageReader>(
      new TiledTiffReader(std::move(tiled), std::move(*file), directory, std::move(handle)));
}

TiledTiffReader::TiledTiffReader(ImageInfo info, std::unique_ptr<FileWatch> file,
                                 uint64_t directory, std::unique_ptr<Handle> first)
    : ImageReader(std::move(info), std::move(file)),
      directory_(directory),
      tile_(first->tile()),
      tile_columns_((this->info().size.width + tile_.width - 1) / tile_.width) {
  free_.push_back(std::move(first));
}

TiledTiffReader::~TiledTiffReader() = default;

absl::StatusOr<std::unique_ptr<TiledTiffReader::Handle>> TiledTiffReader::TakeHandle() {
  {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(this, &TiledTiffReader::HandleFree));
    if (!free_.empty()) {
      std::unique_ptr<Handle> handle = std::move(free_.back());
      free_.pop_back();
      return handle;
    }
    ++handles_;
  }
  absl::StatusOr<std::unique_ptr<Handle>> opened = Handle::Open(file(), directory_);
  if (opened.ok() && (*opened)->Gives(info()) && (*opened)->tile() == tile_) {
    return opened;
  }
  absl::MutexLock lock(&mu_);
  --handles_;
  if (!opened.ok()) return opened.status();
  return Damaged("its header reads otherwise than before");
}

void TiledTiffReader::ReturnHandle(std::unique_ptr<Handle> handle) {
  absl::MutexLock lock(&mu_);
  free_.push_back(std::move(handle));
}

void TiledTiffReader::Keep(uint64_t offset, Tile tile) {
  if (cache_.contains(offset)) return;  // another thread decoded it meanwhile
  cache_bytes_ += static_cast<int64_t>(tile->size());
  uses_.push_front(offset);
  cache_[offset] = {std::move(tile), uses_.begin()};
  while (cache_bytes_ > kCacheBytesMax) {
    const auto oldest = cache_.find(uses_.back());
    cache_bytes_ -= static_cast<int64_t>(oldest->second.tile->size());
    cache_.erase(oldest);
    uses_.pop_back();
  }
}

absl::Status TiledTiffReader::CheckPlace(const Handle& handle, uint32_t index) const {
  const auto bytes = static_cast<uint64_t>(info().tile_bytes);
  const uint64_t stored = handle.Bytes(index);
  // Of a tile as it is libtiff reads all bytes there should be, from wherever it is said to lie.
  if (handle.Offset(index) == 0 || stored == 0 || (!handle.packed() && stored < bytes)) {
    return Damaged(absl::StrCat("tile ", index, " is not in the file, or not all of it"));
  }
  // What packs worse than not at all is not a tile; libtiff would read it all.
  if (stored > 2 * bytes + 4096) {
    return Damaged(absl::StrCat("tile ", index, " claims ", stored, " bytes"));
  }
  return absl::OkStatus();
}

absl::StatusOr<TiledTiffReader::Tile> TiledTiffReader::TileAt(Handle& handle, uint32_t index) {
  const uint64_t offset = handle.Offset(index);
  {
    absl::MutexLock lock(&mu_);
    const auto found = cache_.find(offset);
    if (found != cache_.end()) {
      uses_.splice(uses_.begin(), uses_, found->second.use);
      return found->second.tile;
    }
  }
  TW_RETURN_IF_ERROR(CheckPlace(handle, index));
  auto samples = std::make_shared<std::vector<std::byte>>(static_cast<size_t>(info().tile_bytes));
  if (!handle.Decode(index, *samples)) return Damaged(handle.reason());
  const bool zero = !AnySet(*samples);
  absl::MutexLock lock(&mu_);
  ++tiles_decoded_;
  if (zero) zero_.insert(offset);
  Keep(offset, samples);
  return samples;
}

bool TiledTiffReader::KnownZero(const Rect& rect) {
  absl::StatusOr<std::unique_ptr<Handle>> handle = TakeHandle();
  if (!handle.ok()) return false;  // reading will tell why
  bool zero = true;
  absl::MutexLock lock(&mu_);
  for (int64_t row = rect.y / tile_.height; zero && row * tile_.height < rect.bottom(); ++row) {
    for (int64_t column = rect.x / tile_.width; zero && column * tile_.width < rect.right();
         ++column) {
      const auto index = static_cast<uint32_t>(row * tile_columns_ + column);
      zero = zero_.contains((*handle)->Offset(index));
    }
  }
  free_.push_back(*std::move(handle));
  return zero;
}

absl::StatusOr<std::optional<StoredBlock>> TiledTiffReader::ReadStored(const Rect& rect) {
  const Size size = info().size;
  const auto ends = [](int64_t at, int64_t tile, int64_t image) {
    return at % tile == 0 || at == image;
  };
  if (!info().storage.has_value() || rect.x % tile_.width != 0 || rect.y % tile_.height != 0 ||
      !ends(rect.right(), tile_.width, size.width) ||
      !ends(rect.bottom(), tile_.height, size.height)) {
    return std::nullopt;
  }
  StoredBlock block;
  TW_ASSIGN_OR_RETURN(std::unique_ptr<Handle> handle, TakeHandle());
  const absl::Cleanup give_back = [&] { ReturnHandle(std::move(handle)); };
  for (int64_t row = rect.y / tile_.height; row * tile_.height < rect.bottom(); ++row) {
    for (int64_t column = rect.x / tile_.width; column * tile_.width < rect.right(); ++column) {
      const auto index = static_cast<uint32_t>(row * tile_columns_ + column);
      TW_RETURN_IF_ERROR(CheckPlace(*handle, index));
      const auto bytes = static_cast<size_t>(handle->Bytes(index));
      block.bytes.resize(block.bytes.size() + bytes);
      const absl::Span<std::byte> tile = absl::MakeSpan(block.bytes).last(bytes);
      if (const int error =
              tilewright::ReadAll(file().fd(), tile, static_cast<int64_t>(handle->Offset(index)));
          error != 0) {
        return Damaged(absl::StrCat("tile ", index, ": ", strerror(error)));
      }
      if (!MayBeCopied(tile, *info().storage)) return std::nullopt;
      block.tile_bytes.push_back(static_cast<int64_t>(bytes));
    }
  }
  TW_RETURN_IF_ERROR(CheckUnchanged());
  return block;
}

int64_t TiledTiffReader::tiles_decoded() const {
  absl::MutexLock lock(&mu_);
  return tiles_decoded_;
}

absl::Status TiledTiffReader::ReadInside(const Rect& rect, absl::Span<std::byte> samples) {
  TW_ASSIGN_OR_RETURN(std::unique_ptr<Handle> handle, TakeHandle());
  const absl::Cleanup give_back = [&] { ReturnHandle(std::move(handle)); };
  const int64_t pixel = info().pixel_bytes();
  for (int64_t row = rect.y / tile_.height; row * tile_.height < rect.bottom(); ++row) {
    for (int64_t column = rect.x / tile_.width; column * tile_.width < rect.right(); ++column) {
      TW_ASSIGN_OR_RETURN(const Tile tile,
                          TileAt(*handle, static_cast<uint32_t>(row * tile_columns_ + column)));
      const Rect place = {column * tile_.width, row * tile_.height, tile_.width, tile_.height};
      const Rect part = Intersect(place, rect);
      for (int64_t y = part.y; y < part.bottom(); ++y) {
        std::memcpy(samples.data() + ((y - rect.y) * rect.width + part.x - rect.x) * pixel,
                    tile->data() + ((y - place.y) * tile_.width + part.x - place.x) * pixel,
                    static_cast<size_t>(part.width * pixel));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace tilewright
