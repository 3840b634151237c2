#include "coordinator/image/jpeg_tables.h"

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "coordinator/image/tile_encoder.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

// Markers of ITU T.81, table B.1.
constexpr int kSof0 = 0xC0, kSof1 = 0xC1, kSof15 = 0xCF, kDht = 0xC4, kSoi = 0xD8, kEoi = 0xD9,
              kSos = 0xDA, kDqt = 0xDB;

absl::Status NotSuch(const char* why) {
  return absl::InvalidArgumentError(std::string("no JPEG stream of one sequential scan: ") + why);
}

// Takes bytes off the front; `ok` turns false where there are not so many, and stays so.
class Bytes {
 public:
  explicit Bytes(absl::Span<const std::byte> bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool empty() const { return rest_.empty(); }
  absl::Span<const std::byte> Take(size_t count) {
    ok_ = ok_ && count <= rest_.size();
    if (!ok_) return {};
    const absl::Span<const std::byte> taken = rest_.first(count);
    rest_.remove_prefix(count);
    return taken;
  }
  int Byte() {
    const absl::Span<const std::byte> taken = Take(1);
    return taken.empty() ? 0 : std::to_integer<int>(taken[0]);
  }
  int Word() {
    const int high = Byte();
    return high * 256 + Byte();
  }
  absl::Span<const std::byte> rest() const { return rest_; }

 private:
  absl::Span<const std::byte> rest_;
  bool ok_ = true;
};

int KeyOf(int marker, int number) { return marker * 256 + number; }

// The tables of one segment.
bool ReadTables(int marker, Bytes segment, JpegStream* stream) {
  while (segment.ok() && !segment.empty()) {
    const absl::Span<const std::byte> all = segment.rest();
    const int first = segment.Byte();
    if (marker == kDqt) {
      segment.Take(first >= 16 ? 128 : 64);
    } else {
      size_t codes = 0;
      for (const std::byte count : segment.Take(16)) codes += std::to_integer<size_t>(count);
      segment.Take(codes);
    }
    if (!segment.ok()) return false;
    const size_t bytes = all.size() - segment.rest().size();
    const int number = marker == kDqt ? first % 16 : first;  // else its precision
    stream->tables[KeyOf(marker, number)] = {all.begin(), all.begin() + static_cast<long>(bytes)};
  }
  return segment.ok();
}

// The tables that the channels of a frame are quantised by; how many channels, 0: not of 8 bits.
int ReadFrame(Bytes segment, JpegStream* stream) {
  const bool bytes = segment.Byte() == 8;
  segment.Take(4);  // its size
  const int channels = segment.Byte();
  for (int i = 0; i < channels; ++i) {
    segment.Take(2);  // name, sampling
    stream->used.insert(KeyOf(kDqt, segment.Byte()));
  }
  return segment.ok() && bytes ? channels : 0;
}

// The tables that the channels of a scan are coded by; how many channels.
int ReadScan(Bytes segment, JpegStream* stream) {
  const int channels = segment.Byte();
  for (int i = 0; i < channels; ++i) {
    segment.Take(1);  // name
    const int numbers = segment.Byte();
    stream->used.insert(KeyOf(kDht, numbers / 16));       // of class 0, DC
    stream->used.insert(KeyOf(kDht, 16 + numbers % 16));  // of class 1, AC
  }
  return segment.ok() ? channels : 0;
}

bool HasTablesOf(const JpegStream& stream, int marker) {
  return std::any_of(stream.tables.begin(), stream.tables.end(),
                     [marker](const auto& table) { return table.first / 256 == marker; });
}

// Whether all tables of `some` are in `all`, the same.
bool Holds(const JpegStream& all, const JpegStream& some) {
  return std::all_of(some.tables.begin(), some.tables.end(), [&all](const auto& table) {
    const auto found = all.tables.find(table.first);
    return found != all.tables.end() && found->second == table.second;
  });
}

}  // namespace

bool JpegStream::HasQuantTables() const { return HasTablesOf(*this, kDqt); }
bool JpegStream::HasHuffmanTables() const { return HasTablesOf(*this, kDht); }

absl::StatusOr<JpegStream> ParseJpegStream(absl::Span<const std::byte> bytes) {
  JpegStream stream;
  Bytes input(bytes);
  int channels = 0;
  if (input.Word() != 0xFF00 + kSoi) return NotSuch("it begins otherwise");
  while (true) {
    int marker = input.Byte();
    if (!input.ok() || marker != 0xFF) return NotSuch("it is torn");
    while (marker == 0xFF && input.ok()) marker = input.Byte();
    if (marker == kEoi) return stream;
    const int length = input.Word();
    const Bytes segment(input.Take(static_cast<size_t>(std::max(length, 2) - 2)));
    if (!input.ok() || length < 2) return NotSuch("it is torn");
    if (marker == kDqt || marker == kDht) {
      if (!ReadTables(marker, segment, &stream)) return NotSuch("its tables are torn");
    } else if (marker == kSof0 || marker == kSof1) {
      channels = ReadFrame(segment, &stream);
    } else if (marker == kSos) {
      stream.pixels = true;
      if (channels > 0 && ReadScan(segment, &stream) == channels) return stream;
      return NotSuch("its channels are not of 8 bits, or in several scans");
    } else if (marker > kSof1 && marker <= kSof15) {
      return NotSuch("it is of another process");
    }
  }
}

bool ReadsAlone(absl::Span<const std::byte> tile, absl::Span<const std::byte> tables) {
  const absl::StatusOr<JpegStream> own = ParseJpegStream(tile);
  const absl::StatusOr<JpegStream> shared = tables.empty() ? JpegStream() : ParseJpegStream(tables);
  if (!own.ok() || !own->pixels || !shared.ok() || shared->pixels) return false;
  for (const auto& [key, table] : own->tables) {
    const auto found = shared->tables.find(key);
    if (found != shared->tables.end() && found->second != table) return false;
  }
  return std::all_of(own->used.begin(), own->used.end(), [&](int key) {
    return own->tables.contains(key) || shared->tables.contains(key);
  });
}

std::optional<int> QualityOf(const TileStorage& storage) {
  const absl::StatusOr<JpegStream> tables = ParseJpegStream(storage.jpeg.tables);
  if (!tables.ok() || tables->pixels) return std::nullopt;
  constexpr int64_t kSide = 64;  // of a tile, whatever its subsampling
  const CanvasFormat format = {{kSide, kSide}, storage.channels, storage.sample};
  for (int quality = 100; quality >= 1; --quality) {
    TiffEncoding encoding = {Compression::kJpeg, 1, quality, kSide};
    encoding.jpeg = storage.jpeg;
    TileEncoder encoder(format, encoding);
    std::vector<std::byte> blank(static_cast<size_t>(kSide * kSide * format.pixel_bytes()));
    if (!encoder.Encode(absl::MakeSpan(blank)).ok()) return std::nullopt;
    const absl::StatusOr<JpegStream> made = ParseJpegStream(encoder.tables());
    if (made.ok() && Holds(*tables, *made)) return quality;
  }
  return std::nullopt;
}

}  // namespace tilewright
