#include "tests/cluster/giant_tiff.h"

#include <libdeflate.h>

#include <cstring>
#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"

namespace tilewright {
namespace {

constexpr uint32_t kSide = 512;

// Types of TIFF fields.
constexpr uint16_t kShort = 3;
constexpr uint16_t kLong = 4;
constexpr uint16_t kLong8 = 16;

// Little-endian, as the machines that this runs on.
class Bytes {
 public:
  template <typename T>
  void Add(T value) {
    const size_t at = bytes_.size();
    bytes_.resize(at + sizeof(value));
    std::memcpy(&bytes_[at], &value, sizeof(value));
  }
  // An entry of the directory whose values lie at `value`, or are it.
  void AddEntry(uint16_t tag, uint16_t type, uint64_t count, uint64_t value) {
    Add(tag);
    Add(type);
    Add(count);
    Add(value);
  }
  std::string& bytes() { return bytes_; }

 private:
  std::string bytes_;
};

std::string StoredTile() {
  std::string samples;
  for (uint32_t y = 0; y < kSide; ++y) {
    for (uint32_t x = 0; x < kSide; ++x) {
      for (const uint32_t value : {x / 2, y / 2, (x + y) / 4}) {
        samples.push_back(static_cast<char>(value));
      }
    }
  }
  libdeflate_compressor* const compressor = libdeflate_alloc_compressor(6);
  std::string packed(libdeflate_zlib_compress_bound(compressor, samples.size()), '\0');
  packed.resize(libdeflate_zlib_compress(compressor, samples.data(), samples.size(), packed.data(),
                                         packed.size()));
  libdeflate_free_compressor(compressor);
  return packed;
}

}  // namespace

absl::Status WriteGiantTiff(const std::string& path, uint32_t width, uint32_t height) {
  const uint64_t tiles = uint64_t{(width + kSide - 1) / kSide} * ((height + kSide - 1) / kSide);
  if (tiles < 2) return absl::InvalidArgumentError("a giant picture has at least two tiles");
  const std::string tile = StoredTile();
  Bytes file;
  file.bytes() = "II";
  file.Add(uint16_t{43});  // BigTIFF
  file.Add(uint16_t{8});   // bytes of an offset
  file.Add(uint16_t{0});
  const uint64_t tile_at = 16;
  const uint64_t offsets_at = tile_at + tile.size();
  const uint64_t counts_at = offsets_at + 8 * tiles;
  file.Add(counts_at + 4 * tiles);  // of the directory
  file.bytes() += tile;
  for (uint64_t i = 0; i < tiles; ++i) file.Add(tile_at);
  for (uint64_t i = 0; i < tiles; ++i) file.Add(static_cast<uint32_t>(tile.size()));

  file.Add(uint64_t{11});                         // entries
  file.AddEntry(256, kLong, 1, width);            // ImageWidth
  file.AddEntry(257, kLong, 1, height);           // ImageLength
  file.AddEntry(258, kShort, 3, 0x800080008);     // BitsPerSample: three of 8, in place
  file.AddEntry(259, kShort, 1, 8);               // Compression: deflate
  file.AddEntry(262, kShort, 1, 2);               // PhotometricInterpretation: RGB
  file.AddEntry(277, kShort, 1, 3);               // SamplesPerPixel
  file.AddEntry(284, kShort, 1, 1);               // PlanarConfiguration: samples together
  file.AddEntry(322, kLong, 1, kSide);            // TileWidth
  file.AddEntry(323, kLong, 1, kSide);            // TileLength
  file.AddEntry(324, kLong8, tiles, offsets_at);  // TileOffsets
  file.AddEntry(325, kLong, tiles, counts_at);    // TileByteCounts
  file.Add(uint64_t{0});                          // no other directory

  std::ofstream out(path, std::ios::binary);
  out << file.bytes();
  out.close();
  return out ? absl::OkStatus() : absl::UnavailableError(absl::StrCat("cannot write ", path));
}

}  // namespace tilewright
