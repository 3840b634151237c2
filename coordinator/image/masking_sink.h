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
  // type; the canvas's first pixel is the source's pixel (x, y).
  MaskingSink(const CanvasFormat& format, int64_t x, int64_t y, ImageReader& source,
              const Mask& mask, BlockSink& next)
      : format_(format), x_(x), y_(y), source_(source), mask_(mask), next_(next) {}

  absl::Status WriteBlock(int64_t column, int64_t row,
                          absl::Span<const std::byte> samples) override;
  // Not OK once source or mask could not be read; WriteBlock's other errors are those of `next`.
  const absl::Status& input_error() const { return input_error_; }

 private:
  // Fills source_samples_ and, if the mask marks something, mask_samples_; whether it does.
  absl::StatusOr<bool> ReadInputs(const Rect& rect);

  const CanvasFormat format_;
  const int64_t x_;
  const int64_t y_;
  ImageReader& source_;
  const Mask& mask_;
  BlockSink& next_;
  absl::Status input_error_;
  std::vector<std::byte> source_samples_, mask_samples_, result_;  // of one block
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_MASKING_SINK_H_
