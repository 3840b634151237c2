// Reads rectangles of a tiled TIFF or BigTIFF by libtiff: one handle for each thread that reads, up
// to a few, and one bounded cache of decoded tiles for all of them. Tiles that lie at one place of
// the file are decoded once. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_TILED_TIFF_READER_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_TILED_TIFF_READER_H_

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/image/image_reader.h"

namespace tilewright {

class TiledTiffReader : public ImageReader {
 public:
  // Threads that read at once; others wait.
  static constexpr int kHandlesMax = 4;
  // Bytes of one decoded tile; larger ones are refused.
  static constexpr int64_t kTileBytesMax = int64_t{16} << 20;
  // Of decoded tiles that are kept.
  static constexpr int64_t kCacheBytesMax = int64_t{32} << 20;

  // Takes `file` if it is a TIFF in tiles that libtiff gives as they are: grey or RGB, maybe with
  // alpha that is not premultiplied, u8, u16 or f32, samples together. Else nullptr, and `file`
  // stays. `info` is what libvips says of the page whose directory lies at `directory` in the file.
  // RESOURCE_EXHAUSTED if its tiles are too large, INVALID_ARGUMENT if each channel has tiles of
  // its own.
  static absl::StatusOr<std::unique_ptr<ImageReader>> OpenIfTiled(const ImageInfo& info,
                                                                  uint64_t directory,
                                                                  std::unique_ptr<FileWatch>* file);
  ~TiledTiffReader() override;

  bool KnownZero(const Rect& rect) override ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<std::optional<StoredBlock>> ReadStored(const Rect& rect) override
      ABSL_LOCKS_EXCLUDED(mu_);
  // Tiles that were decoded, each as often as it was.
  int64_t tiles_decoded() const ABSL_LOCKS_EXCLUDED(mu_);

 protected:
  absl::Status ReadInside(const Rect& rect, absl::Span<std::byte> samples) override;

 private:
  class Handle;
  using Tile = std::shared_ptr<const std::vector<std::byte>>;
  struct Cached {
    Tile tile;
    std::list<uint64_t>::iterator use;
  };

  TiledTiffReader(ImageInfo info, std::unique_ptr<FileWatch> file, uint64_t directory,
                  std::unique_ptr<Handle> first);

  // A handle that nobody uses, opened if there are few; waits for one otherwise.
  absl::StatusOr<std::unique_ptr<Handle>> TakeHandle() ABSL_LOCKS_EXCLUDED(mu_);
  void ReturnHandle(std::unique_ptr<Handle> handle) ABSL_LOCKS_EXCLUDED(mu_);
  // DATA_LOSS for a tile that is not in the file, or claims to be larger than any tile can get.
  absl::Status CheckPlace(const Handle& handle, uint32_t index) const;
  // The decoded tile, from the cache or from the file.
  absl::StatusOr<Tile> TileAt(Handle& handle, uint32_t index) ABSL_LOCKS_EXCLUDED(mu_);
  void Keep(uint64_t offset, Tile tile) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool HandleFree() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !free_.empty() || handles_ < kHandlesMax;
  }

  const uint64_t directory_;  // where it lies in the file
  const Size tile_;           // pixels
  const int64_t tile_columns_;

  mutable absl::Mutex mu_;
  int handles_ ABSL_GUARDED_BY(mu_) = 1;  // that exist
  std::vector<std::unique_ptr<Handle>> free_ ABSL_GUARDED_BY(mu_);
  // By offset in the file; `uses_` names the same, the latest first.
  absl::flat_hash_map<uint64_t, Cached> cache_ ABSL_GUARDED_BY(mu_);
  std::list<uint64_t> uses_ ABSL_GUARDED_BY(mu_);
  int64_t cache_bytes_ ABSL_GUARDED_BY(mu_) = 0;  // Invariant: at most kCacheBytesMax
  // Offsets of tiles that were decoded and are all 0; no more than the file has tiles.
  absl::flat_hash_set<uint64_t> zero_ ABSL_GUARDED_BY(mu_);
  int64_t tiles_decoded_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_TILED_TIFF_READER_H_
