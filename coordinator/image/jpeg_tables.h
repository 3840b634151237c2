// The tables of JPEG streams: which ones a stream holds and which ones it uses, so that a tile of a
// TIFF is never put beside tables that are not its own. Thread-safe: functions of values.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_JPEG_TABLES_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_JPEG_TABLES_H_

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "coordinator/image/tile_storage.h"

namespace tilewright {

// A JPEG stream up to its pixels.
struct JpegStream {
  // Each by its marker (DQT or DHT) in the high byte and its class and number in the low one.
  std::map<int, std::vector<std::byte>> tables;  // as they stand in the stream
  std::set<int> used;                            // by its pixels
  bool pixels = false;                           // it has some; else it is tables alone

  bool HasQuantTables() const;
  bool HasHuffmanTables() const;
};

// INVALID_ARGUMENT for what is none, or is not in one sequential scan of all channels of 8 bits.
absl::StatusOr<JpegStream> ParseJpegStream(absl::Span<const std::byte> bytes);

// Whether the tile can be read beside any others of which that is true, in any order and by a
// reader that sets up the file's tables once, as libtiff does, and then keeps every table that a
// tile brings: all that it uses is in it or in `tables` (JpegLayout::tables), and what is in both
// is the same.
bool ReadsAlone(absl::Span<const std::byte> tile, absl::Span<const std::byte> tables);

// The quality at which libtiff makes tiles that fit beside the tables of `storage`, of kJpeg.
// nullopt if there is none.
std::optional<int> QualityOf(const TileStorage& storage);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_JPEG_TABLES_H_
