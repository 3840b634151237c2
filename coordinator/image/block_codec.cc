#include "coordinator/image/block_codec.h"

#include <libdeflate.h>
#include <zstd.h>

#include <cassert>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace tilewright {
namespace {

constexpr int kDeflateLevel = 1;
constexpr int kZstdLevel = 1;

// Replaces each sample by its difference to the pixel on the left, in place, from the right so that
// none is lost.
template <typename Sample>
void SubtractLeft(std::byte* row, int64_t samples, int64_t channels) {
  for (int64_t i = samples - 1; i >= channels; --i) {
    Sample left, here;
    std::memcpy(&left, row + (i - channels) * static_cast<int64_t>(sizeof(Sample)), sizeof(Sample));
    std::memcpy(&here, row + i * static_cast<int64_t>(sizeof(Sample)), sizeof(Sample));
    here = static_cast<Sample>(here - left);
    std::memcpy(row + i * static_cast<int64_t>(sizeof(Sample)), &here, sizeof(Sample));
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
};

bool UsesPredictor(Compression compression, SampleType sample) {
  return compression != Compression::kNone &&
         (sample == SampleType::kU8 || sample == SampleType::kU16);
}

BlockCodec::BlockCodec(const CanvasFormat& format, Compression compression)
    : format_(format),
      compression_(compression),
      tile_(static_cast<size_t>(kBlockSide * kBlockSide * format.pixel_bytes())),
      compressor_(std::make_unique<Compressor>()) {
  if (compression == Compression::kDeflate) {
    compressor_->deflate = libdeflate_alloc_compressor(kDeflateLevel);
    assert(compressor_->deflate != nullptr);
    compressed_.resize(libdeflate_zlib_compress_bound(compressor_->deflate, tile_.size()));
  } else if (compression == Compression::kZstd) {
    compressor_->zstd = ZSTD_createCCtx();
    assert(compressor_->zstd != nullptr);
    compressed_.resize(ZSTD_compressBound(tile_.size()));
  }
}

BlockCodec::~BlockCodec() = default;

absl::Span<std::byte> BlockCodec::FullTile(Size block, absl::Span<const std::byte> samples) {
  const auto pixel = static_cast<size_t>(format_.pixel_bytes());
  const size_t in_row = static_cast<size_t>(block.width) * pixel;
  const size_t out_row = static_cast<size_t>(kBlockSide) * pixel;
  assert(samples.size() == in_row * static_cast<size_t>(block.height));
  for (int64_t y = 0; y < block.height; ++y) {
    std::byte* const out = tile_.data() + static_cast<size_t>(y) * out_row;
    std::memcpy(out, samples.data() + static_cast<size_t>(y) * in_row, in_row);
    for (size_t x = in_row; x < out_row; x += pixel)
      std::memcpy(out + x, out + in_row - pixel, pixel);
  }
  for (int64_t y = block.height; y < kBlockSide; ++y) {
    std::byte* const out = tile_.data() + static_cast<size_t>(y) * out_row;
    std::memcpy(out, out - out_row, out_row);
  }
  return absl::MakeSpan(tile_);
}

absl::StatusOr<absl::Span<const std::byte>> BlockCodec::Encode(
    Size block, absl::Span<const std::byte> samples) {
  const absl::Span<std::byte> tile = FullTile(block, samples);
  if (UsesPredictor(compression_, format_.sample)) {
    const int64_t row_bytes = kBlockSide * format_.pixel_bytes();
    for (int64_t y = 0; y < kBlockSide; ++y) {
      std::byte* const row = tile.data() + y * row_bytes;
      if (format_.sample == SampleType::kU8) {
        SubtractLeft<uint8_t>(row, kBlockSide * format_.channels, format_.channels);
      } else {
        SubtractLeft<uint16_t>(row, kBlockSide * format_.channels, format_.channels);
      }
    }
  }
  switch (compression_) {
    case Compression::kDeflate: {
      const size_t bytes = libdeflate_zlib_compress(compressor_->deflate, tile.data(), tile.size(),
                                                    compressed_.data(), compressed_.size());
      if (bytes == 0) return absl::InternalError("libdeflate could not compress a block");
      return absl::MakeConstSpan(compressed_.data(), bytes);
    }
    case Compression::kZstd: {
      const size_t bytes =
          ZSTD_compressCCtx(compressor_->zstd, compressed_.data(), compressed_.size(), tile.data(),
                            tile.size(), kZstdLevel);
      if (ZSTD_isError(bytes) != 0) {
        return absl::InternalError(
            absl::StrCat("zstd could not compress a block: ", ZSTD_getErrorName(bytes)));
      }
      return absl::MakeConstSpan(compressed_.data(), bytes);
    }
    case Compression::kNone:
    case Compression::kLzw:
      break;
  }
  return tile;
}

}  // namespace tilewright
