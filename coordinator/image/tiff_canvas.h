// Writes a tiled BigTIFF, its reduced images included, block by block in any order into an open
// file. Blocks are compressed and written by the threads that bring them; libtiff only writes
// header and directories. WriteBlock is thread-safe; Finish and FinishPartial come after all of its
// calls.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_TIFF_CANVAS_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_TIFF_CANVAS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "coordinator/image/block_codec.h"
#include "coordinator/image/image_reader.h"
#include "coordinator/image/interrupt.h"
#include "coordinator/image/output_format.h"
#include "coordinator/merge/canvas.h"

namespace tilewright {

struct TiffCanvasOptions {
  CanvasFormat format;
  ImageMetadata metadata;
  TiffEncoding encoding;
  int levels = 1;  // the image, and levels - 1 reduced ones behind it (see PyramidLevels)
};

// Where a tile of a TIFF lies in its file.
struct TiffTile {
  int64_t offset = 0;
  int64_t bytes = 0;      // 0: not written
  uint64_t checksum = 0;  // XXH3-64 of the bytes
};

// What of a TIFF is in its file, which has no directory yet.
struct TiffState {
  int64_t end = 0;                            // bytes of the file that this is about
  std::vector<std::vector<TiffTile>> levels;  // by level, by tile
};

class TiffCanvas {
 public:
  // Writes the header. `fd`, an empty file open for reading and writing, must outlive the canvas
  // and stays the caller's; `path` names it in errors. INVALID_ARGUMENT as of CheckEncoding,
  // RESOURCE_EXHAUSTED if the disk is full.
  static absl::StatusOr<std::unique_ptr<TiffCanvas>> Create(int fd, const std::string& path,
                                                            const TiffCanvasOptions& options);
  ~TiffCanvas();

  // `samples` is the block of LevelFormat(format, level), as for BlockSink::WriteBlock. A block
  // whose write failed may be written again. Errors as of FileError, so IsNoRoom tells a full disk.
  absl::Status WriteBlock(int level, int64_t column, int64_t row,
                          absl::Span<const std::byte> samples);
  // The same for a block that is encoded already, as the canvas's options say.
  absl::Status WriteEncoded(int level, int64_t column, int64_t row, const EncodedBlock& block);
  // What was written. Precondition: no write has failed or is under way.
  TiffState Save() const;
  // Goes on where a canvas of the same options was when it said so, in its file: reads all of it
  // and cuts off what came after. DATA_LOSS if the file does not hold it, INVALID_ARGUMENT if it
  // is of other options, and what `interrupt` asks for. Precondition: nothing was written yet.
  absl::Status Restore(const TiffState& state, const Interrupt* interrupt = nullptr);
  // Whether the block was written.
  bool Holds(int level, int64_t column, int64_t row) const;

  // After the last block: writes the directories. Nothing may be written after it. Does not fsync.
  // While IsNoRoom is its error, it may be called again.
  absl::Status Finish();
  // The same for an image whose missing blocks read as zero.
  absl::Status FinishPartial();

 private:
  class File;
  // Where a tile of a TIFF lies in the file; 0 bytes: nowhere.
  struct Extent {
    int64_t offset = 0;
    int64_t bytes = 0;
    uint64_t checksum = 0;
    bool written = false;
  };

  TiffCanvas(std::unique_ptr<File> file, const TiffCanvasOptions& options);

  std::unique_ptr<BlockCodec> TakeCodec() ABSL_LOCKS_EXCLUDED(mu_);
  // The tiles of a block, row by row.
  std::vector<Extent*> ExtentsOf(int level, int64_t column, int64_t row)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Their places in extents_[level].
  std::vector<size_t> TilesOf(int level, int64_t column, int64_t row) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Gives the tiles of a block their places, one after the other, unless an earlier attempt did.
  // The first one's offset.
  int64_t Place(int level, int64_t column, int64_t row, const EncodedBlock& block)
      ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status PlaceMissing() ABSL_LOCKS_EXCLUDED(mu_);
  // Bytes of all directories, at most.
  int64_t DirectoryBytes() const;
  int64_t tile_columns(int level) const;

  const std::unique_ptr<File> file_;
  const TiffCanvasOptions options_;
  mutable absl::Mutex mu_;
  std::vector<std::unique_ptr<BlockCodec>> codecs_ ABSL_GUARDED_BY(mu_);  // that nobody uses
  int64_t end_ ABSL_GUARDED_BY(mu_);  // of what has a place in the file
  std::vector<std::vector<Extent>> extents_ ABSL_GUARDED_BY(mu_);  // by level, by tile
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_TIFF_CANVAS_H_
