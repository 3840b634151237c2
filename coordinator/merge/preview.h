// A small picture of a canvas that is still being assembled: finished blocks in their colours, the
// missing part transparent. Not thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_MERGE_PREVIEW_H_
#define TILEWRIGHT_COORDINATOR_MERGE_PREVIEW_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "coordinator/merge/canvas.h"
#include "proto/geometry/rect.h"

namespace tilewright {

class Preview {
 public:
  // Longest side of a preview, pixels, of canvases up to 512 times as long; of longer ones a pixel
  // of the preview stands for 512 of the canvas.
  static constexpr int64_t kSideMax = 1024;

  explicit Preview(const CanvasFormat& format);

  // Draws a block, in any order. `samples` as for BlockSink::WriteBlock. Each pixel is the mean of
  // up to 4×4 evenly spaced ones, of labels the top left one; u16 is scaled to 8 bits, floats are
  // shown from 0 to 1. The canvas' own alpha is not shown.
  void AddBlock(int64_t column, int64_t row, absl::Span<const std::byte> samples);

  // Goes on from what an earlier one of the same canvas had drawn. False, and nothing is changed,
  // if that cannot be. Precondition: nothing was drawn yet.
  bool Restore(absl::Span<const std::byte> pixels, int64_t drawn);

  // Pixels of the canvas that were drawn.
  int64_t drawn() const { return drawn_; }
  // The same / all.
  double finished() const {
    return static_cast<double>(drawn_) / static_cast<double>(format_.size.area());
  }
  Size size() const { return size_; }
  // RGBA, 8 bits, row-major. Alpha is 255 where the canvas is finished, else everything is 0.
  absl::Span<const std::byte> pixels() const { return pixels_; }
  std::vector<std::byte> TakePixels() && { return std::move(pixels_); }

 private:
  template <typename Sample, double (*ToLevel)(Sample)>
  void Draw(const Rect& block, absl::Span<const std::byte> samples);

  const CanvasFormat format_;
  const int64_t step_;  // canvas pixels a preview pixel stands for, a power of two up to 512
  const Size size_;
  std::vector<std::byte> pixels_;
  int64_t drawn_ = 0;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_MERGE_PREVIEW_H_
