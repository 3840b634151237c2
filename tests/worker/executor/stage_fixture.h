// Stages, models and tasks for tests of the executor.

#ifndef TILEWRIGHT_TESTS_WORKER_EXECUTOR_STAGE_FIXTURE_H_
#define TILEWRIGHT_TESTS_WORKER_EXECUTOR_STAGE_FIXTURE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "worker/engine/engine.h"
#include "worker/executor/executor.h"

namespace tilewright {

// A model of the fake engine.
inline LocalModel FakeModel(uint32_t channels_in, uint32_t channels_out, uint32_t scale = 1) {
  LocalModel model;
  model.digest = "digest";
  model.manifest.set_engine("fake");
  model.manifest.set_entry("network");
  model.manifest.set_scale_p(scale);
  model.manifest.add_inputs()->set_channels(channels_in);
  model.manifest.add_outputs()->set_channels(channels_out);
  return model;
}

// Tiles of 4 × 2 in u8.
inline v1::StageSpec FakeStageSpec(uint32_t channels_in, uint32_t channels_out,
                                   uint32_t scale = 1) {
  v1::StageSpec stage;
  stage.set_job("jobs/a");
  stage.set_model("models/fake/versions/1");
  stage.set_model_digest("digest");
  stage.set_tile_width(4);
  stage.set_tile_height(2);
  stage.set_input_channels(channels_in);
  stage.set_output_channels(channels_out);
  stage.set_input_sample(v1::SAMPLE_TYPE_U8);
  stage.set_output_sample(v1::SAMPLE_TYPE_U8);
  stage.set_scale_p(scale);
  stage.set_scale_q(1);
  stage.set_dtype("fp32");
  stage.set_batch(4);
  stage.set_image_width(100);
  stage.set_image_height(100);
  return stage;
}

// The tile at (4 * index, 0) whose sample i is `first` + i, to be returned whole.
inline TileTask FakeTask(uint64_t index, const v1::StageSpec& stage, int first = 0) {
  TileTask task;
  task.index = index;
  const int64_t x = 4 * static_cast<int64_t>(index);
  const int64_t s = stage.scale_p();
  task.input = {x, 0, 4, 2};
  task.contribution = {x * s, 0, 4 * s, 2 * s};
  for (uint32_t i = 0; i < 8 * stage.input_channels(); ++i) {
    task.samples.push_back(static_cast<std::byte>(first + static_cast<int>(i)));
  }
  return task;
}

inline std::vector<int> AsInts(absl::Span<const std::byte> samples) {
  std::vector<int> numbers;
  for (std::byte sample : samples) numbers.push_back(static_cast<int>(sample));
  return numbers;
}

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_WORKER_EXECUTOR_STAGE_FIXTURE_H_
