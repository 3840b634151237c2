// Takes the blocks of one output, hashes and writes them and the reduced blocks above them, on the
// threads of a pool if there is one. A block that finds no room on the disk is kept until it does.
// Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_BLOCK_WRITER_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_BLOCK_WRITER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "coordinator/image/encoder_pool.h"
#include "coordinator/image/pyramid.h"
#include "coordinator/image/tiff_canvas.h"
#include "coordinator/merge/pixel_hash.h"

namespace tilewright {

class BlockWriter {
 public:
  // `pool` null: the calling thread works. All must outlive the writer. `pyramid` has one level if
  // there are no reduced images.
  BlockWriter(const CanvasFormat& format, int levels, TiffCanvas& canvas, Pyramid& pyramid,
              EncoderPool* pool);
  // Waits for the tasks that run.
  ~BlockWriter();

  // Takes a copy of a block of the image, each exactly once; waits while the pool is full. The
  // first error of any block before: then this one is not taken. While blocks wait for room this
  // one waits with them; after LeaveOutZeros it is not taken then either.
  absl::Status Write(int64_t column, int64_t row, absl::Span<const std::byte> samples)
      ABSL_LOCKS_EXCLUDED(mu_);
  // The same for a block that is made when its turn comes, see BlockSink::MakeBlock; what is known
  // to be stored of it is written instead of compressing it.
  absl::Status Make(int64_t column, int64_t row, int64_t bytes_max, BlockMaker make)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Waits for what was taken. The first error; a full disk if blocks wait for room.
  absl::Status Flush() ABSL_LOCKS_EXCLUDED(mu_);
  // Not OK while blocks wait for room: a full disk, in words.
  absl::Status stalled() const ABSL_LOCKS_EXCLUDED(mu_);
  // Waits for what is under way, then writes the blocks that wait, in this thread. What Flush would
  // say.
  absl::Status Retry() ABSL_LOCKS_EXCLUDED(mu_);

  // For an image of which parts are missing: from now on blocks of zeros are not written, since the
  // canvas can make them up. Call it while nothing is written.
  void LeaveOutZeros() { leave_out_zero_ = true; }

  // Of each block, see PixelHash::blocks. Call them while nothing is written.
  const std::vector<uint64_t>& block_hashes() const { return hash_.blocks(); }
  void set_block_hashes(std::vector<uint64_t> hashes) { hash_.set_blocks(std::move(hashes)); }

  // Blocks that were written as they are stored. Set it while nothing is written.
  int64_t blocks_copied() const { return blocks_copied_; }
  void set_blocks_copied(int64_t blocks) { blocks_copied_ = blocks; }

  // Precondition: all blocks were written.
  uint64_t pixel_hash() const;

 private:
  // A block on its way.
  struct Pending {
    LevelBlock block;
    BlockMaker make;                    // of its samples, which are not there yet; null: they are
    std::optional<StoredBlock> stored;  // how it is to be written; else it is compressed
    bool written = false;               // and only to be added to the pyramid
  };

  // As Make, of a block that takes so many bytes.
  absl::Status Take(int64_t bytes, Pending pending) ABSL_LOCKS_EXCLUDED(mu_);
  // Gives it its samples.
  absl::Status Fill(Pending* pending) const;

  // Writes it and all that it completes; keeps what finds no room.
  void Process(Pending pending) ABSL_LOCKS_EXCLUDED(mu_);
  // One block; on success the next one above it, if it was the last one missing.
  absl::StatusOr<std::optional<LevelBlock>> WriteOne(Pending* pending);
  bool Idle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return running_ == 0; }
  absl::Status StatusLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const CanvasFormat format_;
  const int levels_;
  TiffCanvas& canvas_;
  Pyramid& pyramid_;
  EncoderPool* const pool_;
  PixelHash hash_;  // different blocks may be added at the same time
  bool leave_out_zero_ = false;
  std::atomic<int64_t> blocks_copied_ = 0;

  mutable absl::Mutex mu_;
  int running_ ABSL_GUARDED_BY(mu_) = 0;     // tasks that were begun or are queued
  absl::Status error_ ABSL_GUARDED_BY(mu_);  // the first one that room does not mend
  absl::Status no_room_
      ABSL_GUARDED_BY(mu_);  // Invariant while Idle: OK if and only if waiting_ is empty
  std::vector<Pending> waiting_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_BLOCK_WRITER_H_
