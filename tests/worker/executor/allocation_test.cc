// Memory that runs out at every single allocation of a batch, one after another: either the tiles
// come out with their bits, or they fail as out of memory; nothing else, and nothing stays broken.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/worker/faulty/failing_new.h"
#include "worker/executor/checking_executor.h"
#include "worker/executor/core_executor.h"
#include "worker/executor/timing_executor.h"

namespace tilewright {
namespace {

constexpr int64_t kSide = 96;

LocalModel Blur() {
  LocalModel model;
  model.digest = "blur";
  model.manifest.set_engine("builtin");
  model.manifest.set_entry("gaussian-blur");
  model.manifest.set_halo(6);
  model.manifest.add_inputs();
  model.manifest.add_outputs();
  return model;
}

v1::StageSpec BlurStage(bool strict) {
  v1::StageSpec stage;
  stage.set_job("jobs/a");
  stage.set_model_digest("blur");
  stage.set_tile_width(kSide);
  stage.set_tile_height(kSide);
  stage.set_input_channels(3);
  stage.set_output_channels(3);
  stage.set_input_sample(v1::SAMPLE_TYPE_U8);
  stage.set_output_sample(v1::SAMPLE_TYPE_U8);
  stage.set_scale_p(1);
  stage.set_scale_q(1);
  stage.set_dtype("fp32");
  stage.set_batch(2);
  stage.set_halo(6);
  stage.set_image_width(2 * kSide);
  stage.set_image_height(kSide);
  stage.set_strict(strict);
  return stage;
}

std::vector<TileTask> Tasks() {
  std::vector<TileTask> tasks(2);
  uint32_t state = 1;
  for (size_t i = 0; i < tasks.size(); ++i) {
    tasks[i].index = i;
    tasks[i].input = {static_cast<int64_t>(i) * kSide, 0, kSide, kSide};
    tasks[i].contribution = tasks[i].input;
    for (int64_t k = 0; k < kSide * kSide * 3; ++k) {
      state = state * 1664525u + 1013904223u;
      tasks[i].samples.push_back(static_cast<std::byte>(state >> 24));
    }
  }
  return tasks;
}

std::unique_ptr<Executor> Prepared(const v1::StageSpec& stage) {
  std::vector<std::unique_ptr<Engine>> engines;
  engines.push_back(CreateBuiltinEngine());
  auto executor =
      CreateTimingExecutor(CreateCheckingExecutor(CreateCoreExecutor(std::move(engines))));
  const absl::Status prepared = executor->Prepare(stage, Blur(), {});
  EXPECT_TRUE(prepared.ok()) << prepared;
  return executor;
}

struct Tried {
  std::vector<TileOutcome> outcomes;
  uint64_t allocations = 0;
};

Tried Execute(Executor& executor, const v1::StageSpec& stage, uint64_t failing) {
  std::vector<TileTask> tasks = Tasks();
  Tried tried;
  const FailingNew memory(failing, FailingNew::Which::kOnly);
  tried.outcomes = executor.Execute(stage, std::move(tasks));
  tried.allocations = memory.seen();
  return tried;
}

// Whether the job is strict.
class AllocationTest : public testing::TestWithParam<bool> {};

TEST_P(AllocationTest, AnyThatFailsChangesNoBitAndIsSaidToBeMemory) {
  const v1::StageSpec stage = BlurStage(GetParam());
  const Tried undisturbed = Execute(*Prepared(stage), stage, 0);
  const uint64_t all = undisturbed.allocations;
  ASSERT_GT(all, 5u) << "a batch allocates more than that";
  int in_spite_of_it = 0;
  int handed_back = 0;
  for (uint64_t k = 1; k <= all; ++k) {
    const auto executor = Prepared(stage);
    for (const uint64_t failing : {k, uint64_t{0}}) {
      const Tried tried = Execute(*executor, stage, failing);
      ASSERT_EQ(tried.outcomes.size(), undisturbed.outcomes.size());
      for (size_t i = 0; i < tried.outcomes.size(); ++i) {
        const TileOutcome& outcome = tried.outcomes[i];
        if (outcome.samples.ok()) {
          EXPECT_EQ(outcome.samples->bytes(), undisturbed.outcomes[i].samples->bytes()) << k;
          in_spite_of_it += failing > 0 && outcome.cost.ladder_size() > 0;
          continue;
        }
        ++handed_back;
        EXPECT_GT(failing, 0u) << "memory is there again: " << outcome.samples.status();
        EXPECT_EQ(CauseOf(outcome.samples.status()), v1::FAILURE_CAUSE_OUT_OF_MEMORY)
            << k << ": " << outcome.samples.status();
      }
    }
  }
  EXPECT_GT(in_spite_of_it, 0) << "no allocation of the engine failed";
  EXPECT_GT(handed_back, 0) << "no allocation beside the engine failed";
}

INSTANTIATE_TEST_SUITE_P(Jobs, AllocationTest, testing::Bool(),
                         [](const testing::TestParamInfo<bool>& strict) {
                           return strict.param ? "Strict" : "Tolerant";
                         });

}  // namespace
}  // namespace tilewright
