#include "coordinator/image/block_codec.h"

#include <libdeflate.h>
#include <zstd.h>

#include <algorithm>
#include <cassert>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "coordinator/image/tile_encoder.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

// Copies a row, each sample as its difference to the pixel on the left: the TIFF predictor. Out of
// place, so that many samples go at a time.
template <typename Sample>
void CopyDifferences(const std::byte* __restrict from, int64_t samples, int64_t channels,
                     std::byte* __restrict to) {
  constexpr auto kBytes = static_cast<int64_t>(sizeof(Sample));
  std::memcpy(to, from, static_cast<size_t>(channels * kBytes));
  for (int64_t i = channels; i < samples; ++i) {
    Sample left, here;
    std::memcpy(&left, from + (i - channels) * kBytes, sizeof(Sample));
    std::memcpy(&here, from + i * kBytes, sizeof(Sample));
    here = static_cast<Sample>(here - left);
    std::memcpy(to + i * kBytes, &here, sizeof(Sample));
  }
}

}  // namespace

struct BlockCodec::Compressor {
  ~Compressor() {
    libdeflate_free_compressor(deflate);
    ZSTD_freeCCtx(zstd);
  }
  libdeflate_compressor* deflate = nullptr;
  ZSTD_CCtx* zstd = nullptr;
  std::unique_ptr<TileEncoder> libtiff;
};

BlockCodec::BlockCodec(const CanvasFormat& format, const TiffEncoding& encoding)
    : format_(format),
      encoding_(encoding),
      predicts_((encoding.compression == Compression::kDeflate ||
                 encoding.compression == Compression::kZstd) &&
                UsesPredictor(encoding, format.sample)),
      tile_(static_cast<size_t>(encoding.tile_side * encoding.tile_side * format.pixel_bytes())),
      compressor_(std::make_unique<Compressor>()) {
  size_t tile_bytes_max = tile_.size();
  if (encoding.compression == Compression::kDeflate) {
    compressor_->deflate = libdeflate_alloc_compressor(encoding.level);
    assert(compressor_->deflate != nullptr);
    tile_bytes_max = libdeflate_zlib_compress_bound(compressor_->deflate, tile_.size());
  } else if (encoding.compression == Compression::kZstd) {
    compressor_->zstd = ZSTD_createCCtx();
    assert(compressor_->zstd != nullptr);
    tile_bytes_max = ZSTD_compressBound(tile_.size());
  } else if (encoding.compression != Compression::kNone) {
    compressor_->libtiff = std::make_unique<TileEncoder>(format, encoding);
  }
  const auto tiles_a_side = static_cast<size_t>(kBlockSide / encoding.tile_side);
  encoded_.resize(tiles_a_side * tiles_a_side * tile_bytes_max);
}

BlockCodec::~BlockCodec() = default;

void BlockCodec::FillTile(Size block, absl::Span<const std::byte> samples, const Rect& part) {
  const auto pixel = static_cast<size_t>(format_.pixel_bytes());
  const size_t in_stride = static_cast<size_t>(block.width) * pixel;
  const size_t in_row = static_cast<size_t>(part.width) * pixel;
  const size_t out_row = static_cast<size_t>(encoding_.tile_side) * pixel;
  const std::byte* in = samples.data() + static_cast<size_t>(part.y) * in_stride +
                        static_cast<size_t>(part.x) * pixel;
  std::byte* out = tile_.data();
  for (int64_t y = 0; y < part.height; ++y, in += in_stride, out += out_row) {
    CopyRow(in, part.width, out);
    // The last pixel again: in differences, nothing.
    if (predicts_) std::memset(out + in_row, 0, out_row - in_row);
    for (size_t x = in_row; !predicts_ && x < out_row; x += pixel) {
      std::memcpy(out + x, out + in_row - pixel, pixel);
    }
  }
  for (int64_t y = part.height; y < encoding_.tile_side; ++y, out += out_row) {
    std::memcpy(out, out - out_row, out_row);
  }
}

void BlockCodec::CopyRow(const std::byte* from, int64_t pixels, std::byte* to) const {
  if (!predicts_) {
    std::memcpy(to, from, static_cast<size_t>(pixels * format_.pixel_bytes()));
  } else if (format_.sample == SampleType::kU8) {
    CopyDifferences<uint8_t>(from, pixels * format_.channels, format_.channels, to);
  } else {
    CopyDifferences<uint16_t>(from, pixels * format_.channels, format_.channels, to);
  }
}

absl::Status BlockCodec::AppendTile() {
  std::byte* const out = encoded_.data() + encoded_bytes_;
  const size_t room = encoded_.size() - encoded_bytes_;
  size_t bytes = 0;
  switch (encoding_.compression) {
    case Compression::kDeflate:
    case Compression::kZstd:
      if (encoding_.compression == Compression::kDeflate) {
        bytes =
            libdeflate_zlib_compress(compressor_->deflate, tile_.data(), tile_.size(), out, room);
        if (bytes == 0) return absl::InternalError("libdeflate could not compress a block");
        break;
      }
      bytes = ZSTD_compressCCtx(compressor_->zstd, out, room, tile_.data(), tile_.size(),
                                encoding_.level);
      if (ZSTD_isError(bytes) != 0) {
        return absl::InternalError(
            absl::StrCat("zstd could not compress a block: ", ZSTD_getErrorName(bytes)));
      }
      break;
    case Compression::kLzw:
    case Compression::kJpeg: {
      TW_ASSIGN_OR_RETURN(const absl::Span<const std::byte> tile,
                          compressor_->libtiff->Encode(absl::MakeSpan(tile_)));
      // Noise grows by this codec, without a bound that libtiff would state.
      if (tile.size() > room) encoded_.resize(encoded_bytes_ + tile.size());
      std::memcpy(encoded_.data() + encoded_bytes_, tile.data(), tile.size());
      bytes = tile.size();
      break;
    }
    case Compression::kNone:
      std::memcpy(out, tile_.data(), tile_.size());
      bytes = tile_.size();
      break;
  }
  encoded_bytes_ += bytes;
  tile_bytes_.push_back(static_cast<int64_t>(bytes));
  return absl::OkStatus();
}

absl::StatusOr<EncodedBlock> BlockCodec::Encode(Size block, absl::Span<const std::byte> samples) {
  assert(static_cast<int64_t>(samples.size()) ==
         block.width * block.height * format_.pixel_bytes());
  const int64_t side = encoding_.tile_side;
  tile_bytes_.clear();
  encoded_bytes_ = 0;
  if (encoding_.compression == Compression::kNone && block == Size{side, side}) {
    tile_bytes_.push_back(static_cast<int64_t>(samples.size()));
    return EncodedBlock{samples, tile_bytes_};
  }
  for (int64_t y = 0; y < block.height; y += side) {
    for (int64_t x = 0; x < block.width; x += side) {
      FillTile(block, samples, Intersect({x, y, side, side}, {0, 0, block.width, block.height}));
      TW_RETURN_IF_ERROR(AppendTile());
    }
  }
  return EncodedBlock{absl::MakeConstSpan(encoded_.data(), encoded_bytes_), tile_bytes_};
}

}  // namespace tilewright
