// Keeps what a mask does not mark: passes blocks on with the source's samples where the mask says
// so. Source and mask are read where the blocks are made, by threads of the sink behind this one if
// it has any. Not thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_MASKING_SINK_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_MASKING_SINK_H_

#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/image/image_reader.h"
#include "coordinator/image/mask.h"
#include "coordinator/merge/canvas.h"

namespace tilewright {

class MaskingSink : public BlockSink {
 public:
  // All must outlive the sink, and the sink what `next` still makes. `source` (access kAnywhere)
  // has the canvas's channels and sample type; the canvas's first pixel is the source's pixel
  // (x, y). With `copies`, what `next` writes to stores its tiles as the source does (StoresAlike):
  // blocks without a marked pixel go there as they are stored, if they are whole tiles of the
  // source.
  MaskingSink(const CanvasFormat& format, int64_t x, int64_t y, ImageReader& source,
              const Mask& mask, bool copies, BlockSink& next)
      : format_(format), x_(x), y_(y), source_(source), mask_(mask), copies_(copies), next_(next) {}

  // Errors are those of `next`, and of source and mask: see input_error.
  absl::Status WriteBlock(int64_t column, int64_t row,
                          absl::Span<const std::byte> samples) override;
  // Not OK once source or mask could not be read: the first such error.
  absl::Status input_error() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // Of the block of these pixels of the source, of which `result` was computed; nothing if it is
  // known that the mask does not mark any. Thread-safe.
  absl::StatusOr<MadeBlock> Make(const Rect& rect, std::vector<std::byte> result);
  // The source's own pixels.
  absl::StatusOr<MadeBlock> Keep(const Rect& rect);

  const CanvasFormat format_;
  const int64_t x_;
  const int64_t y_;
  ImageReader& source_;
  const Mask& mask_;
  const bool copies_;
  BlockSink& next_;
  mutable absl::Mutex mu_;
  absl::Status input_error_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_MASKING_SINK_H_
