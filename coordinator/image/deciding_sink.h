// Turns logits into labels: passes blocks on with the number of each pixel's greatest value in
// place of the values, so that no file of them is ever made. Not thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_DECIDING_SINK_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_DECIDING_SINK_H_

#include <vector>

#include "coordinator/merge/canvas.h"
#include "proto/blend/channel_count.h"

namespace tilewright {

static_assert(kChannelsMax <= 256, "a label has 8 bits");

// What the file of such a canvas holds: one u8 label a pixel.
CanvasFormat DecidedFormat(const CanvasFormat& logits);

// Writes for each pixel of `logits`, row-major f32 of `channels` values each, the number of the
// greatest one, the first of equal ones. Workers send finite values only; one that is not a number
// all the same is never the greatest, and where none is, the label is 0. `labels` has a byte for
// each pixel.
void DecideGreatest(absl::Span<const std::byte> logits, int channels, absl::Span<std::byte> labels);

class DecidingSink : public BlockSink {
 public:
  // `logits` has f32 samples and 2 to kChannelsMax channels; `next`, of
  // DecidedFormat(logits), must outlive the sink.
  DecidingSink(const CanvasFormat& logits, BlockSink& next) : logits_(logits), next_(next) {}

  // Errors are those of `next`.
  absl::Status WriteBlock(int64_t column, int64_t row,
                          absl::Span<const std::byte> samples) override;

 private:
  const CanvasFormat logits_;
  BlockSink& next_;
  std::vector<std::byte> labels_;  // of one block
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_DECIDING_SINK_H_
