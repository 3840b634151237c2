#include "tests/cluster/giant_tiff.h"

#include <libdeflate.h>

#include <cstring>
#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"

namespace tilewright {
namespace {

constexpr uint32_t kSide = kGiantTileSide;

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

// Each sample as its difference to the pixel on the left.
std::string Differences(const std::string& samples, uint32_t channels) {
  std::string differences = samples;
  for (size_t i = samples.size(); i-- > 0;) {
    if (i / channels % kSide != 0) {
      differences[i] = static_cast<char>(samples[i] - samples[i - channels]);
    }
  }
  return differences;
}

std::string Packed(const std::string& samples) {
  libdeflate_compressor* const compressor = libdeflate_alloc_compressor(6);
  std::string packed(libdeflate_zlib_compress_bound(compressor, samples.size()), '\0');
  packed.resize(libdeflate_zlib_compress(compressor, samples.data(), samples.size(), packed.data(),
                                         packed.size()));
  libdeflate_free_compressor(compressor);
  return packed;
}

}  // namespace

std::string GradientTile() {
  std::string samples;
  for (uint32_t y = 0; y < kSide; ++y) {
    for (uint32_t x = 0; x < kSide; ++x) {
      for (const uint32_t value : {x / 2, y / 2, (x + y) / 4}) {
        samples.push_back(static_cast<char>(value));
      }
    }
  }
  return samples;
}

std::string TexturedTile() {
  std::string samples = GradientTile();
  uint32_t random = 1;
  for (char& sample : samples) {
    random = random * 1664525 + 1013904223;
    if (random >> 24 == 0) sample = static_cast<char>(random >> 16);
  }
  return samples;
}

absl::Status WriteGiantTiff(const std::string& path, uint32_t width, uint32_t height) {
  return WriteGiantTiff(path, {width, height, 3, {GradientTile()}, [](auto, auto) { return 0; }});
}

absl::Status WriteGiantTiff(const std::string& path, const GiantTiff& tiff) {
  const uint32_t columns = (tiff.width + kSide - 1) / kSide;
  const uint32_t rows = (tiff.height + kSide - 1) / kSide;
  const uint64_t tiles = uint64_t{columns} * rows;
  if (tiles < 2) return absl::InvalidArgumentError("a giant picture has at least two tiles");
  if (tiff.channels != 1 && tiff.channels != 3) {
    return absl::InvalidArgumentError("a giant picture has 1 or 3 channels");
  }
  Bytes file;
  file.bytes() = "II";
  file.Add(uint16_t{43});  // BigTIFF
  file.Add(uint16_t{8});   // bytes of an offset
  file.Add(uint16_t{0});
  const size_t directory_at = file.bytes().size();
  file.Add(uint64_t{0});  // filled in below
  std::vector<uint64_t> offsets, sizes;
  for (const std::string& samples : tiff.tiles) {
    const std::string packed = Packed(Differences(samples, tiff.channels));
    offsets.push_back(file.bytes().size());
    sizes.push_back(packed.size());
    file.bytes() += packed;
  }
  const uint64_t offsets_at = file.bytes().size();
  const uint64_t counts_at = offsets_at + 8 * tiles;
  std::vector<size_t> stored;
  for (uint32_t row = 0; row < rows; ++row) {
    for (uint32_t column = 0; column < columns; ++column) {
      stored.push_back(tiff.tile_at(column, row));
    }
  }
  for (const size_t tile : stored) file.Add(offsets.at(tile));
  for (const size_t tile : stored) file.Add(static_cast<uint32_t>(sizes.at(tile)));
  const uint64_t directory = file.bytes().size();
  std::memcpy(&file.bytes()[directory_at], &directory, sizeof(directory));

  file.Add(uint64_t{12});                     // entries
  file.AddEntry(256, kLong, 1, tiff.width);   // ImageWidth
  file.AddEntry(257, kLong, 1, tiff.height);  // ImageLength
  // BitsPerSample: 8 of each, in place
  file.AddEntry(258, kShort, tiff.channels, tiff.channels == 1 ? 8 : 0x800080008);
  file.AddEntry(259, kShort, 1, 8);  // Compression: deflate
  // PhotometricInterpretation: 0 is black, or RGB
  file.AddEntry(262, kShort, 1, tiff.channels == 1 ? 1 : 2);
  file.AddEntry(277, kShort, 1, tiff.channels);   // SamplesPerPixel
  file.AddEntry(284, kShort, 1, 1);               // PlanarConfiguration: samples together
  file.AddEntry(317, kShort, 1, 2);               // Predictor: differences, as outputs have
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
