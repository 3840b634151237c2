// Keeps what a mask does not mark: passes blocks on with the source's samples where the mask says
// so. Not thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_MASKING_SINK_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_MASKING_SINK_H_

#include <vector>

#include "coordinator/image/image_reader.h"
#include "coordinator/image/mask.h"
#include "coordinator/merge/canvas.h"

namespace tilewright {

class MaskingSink : public BlockSink {
 public:
  // All must outlive the sink. `source` (access kAnywhere) has the canvas's channels and sample
  // type; the canvas's first pixel is the source's pixel (x, y). With `copies`, what `next` writes
  // to stores its tiles as the source does (StoresAlike): blocks without a marked pixel go there as
  // they are stored, if they are whole tiles of the source.
  MaskingSink(const CanvasFormat& format, int64_t x, int64_t y, ImageReader& source,
              const Mask& mask, bool copies, BlockSink& next)
      : format_(format), x_(x), y_(y), source_(source), mask_(mask), copies_(copies), next_(next) {}

  absl::Status WriteBlock(int64_t column, int64_t row,
                          absl::Span<const std::byte> samples) override;
  // Not OK once source or mask could not be read; WriteBlock's other errors are those of `next`.
  const absl::Status& input_error() const { return input_error_; }
  // Blocks that went on as they are stored.
  int64_t blocks_copied() const { return blocks_copied_; }

 private:
  // Fills source_samples_ and, if the mask marks something, mask_samples_; whether it does.
  absl::StatusOr<bool> ReadInputs(const Rect& rect);
  // Passes on the block that source_samples_ holds.
  absl::Status Keep(int64_t column, int64_t row, const Rect& rect);

  const CanvasFormat format_;
  const int64_t x_;
  const int64_t y_;
  ImageReader& source_;
  const Mask& mask_;
  const bool copies_;
  BlockSink& next_;
  int64_t blocks_copied_ = 0;
  absl::Status input_error_;
  std::vector<std::byte> source_samples_, mask_samples_, result_;  // of one block
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_MASKING_SINK_H_
