// The inputs of tiles that hold more than the image: in every pixel, the channels of what lies
// beside it follow its own, in its sample type. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_COMBINED_INPUTS_H_
#define TILEWRIGHT_COORDINATOR_JOBS_COMBINED_INPUTS_H_

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "coordinator/image/image_reader.h"
#include "coordinator/merge/tile_source.h"
#include "coordinator/plan/stage_plan.h"
#include "proto/blend/sample.h"
#include "proto/geometry/rect.h"

namespace tilewright {

// An image of the size of another one.
struct PixelsBeside {
  // Fills in a rectangle inside the image, row-major and interleaved; from any thread. Null: all
  // samples are 0.
  std::function<absl::Status(const Rect& rect, absl::Span<std::byte> samples)> read;
  int channels = 0;
  SampleType sample = SampleType::kU8;
  // What the network takes for the samples: integers of one type become integers of the other by
  // their greatest values, integers and floats become each other by this.
  ValueRange range;
};

class CombinedInputs : public TileSource {
 public:
  // All references must outlive this. `image` has access kAnywhere.
  CombinedInputs(const StagePlan& plan, ImageReader& image, std::vector<PixelsBeside> beside)
      : plan_(plan), image_(image), beside_(std::move(beside)) {}

  // All of them are padded alike. Errors of the image and of what is beside it; DATA_LOSS for a
  // float that is not finite where it has to become an integer.
  absl::Status Read(TileIndex tile, absl::Span<std::byte> samples) override;
  void Drop(TileIndex) override {}

 private:
  // What is beside the image in the rectangle, in the image's sample type.
  absl::Status ReadBeside(const PixelsBeside& beside, const Rect& rect,
                          std::vector<std::byte>* samples) const;

  const StagePlan& plan_;
  ImageReader& image_;
  const std::vector<PixelsBeside> beside_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_COMBINED_INPUTS_H_
