#include "tests/worker/engine/interleave.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "proto/wire/noise.h"
#include "worker/engine/forwarding_engine.h"
#include "worker/executor/core_executor.h"

namespace tilewright {
namespace {

struct Call {
  const LocalModel* model = nullptr;
  uint32_t stage = 0;
  Size shape;
};

v1::StageSpec SpecOf(const Call& call) {
  v1::StageSpec spec;
  spec.set_job("jobs/a");
  spec.set_stage(call.stage);
  spec.set_model_digest(call.model->digest);
  spec.set_tile_width(static_cast<uint32_t>(call.shape.width));
  spec.set_tile_height(static_cast<uint32_t>(call.shape.height));
  spec.set_input_channels(3);
  spec.set_output_channels(3);
  spec.set_input_sample(v1::SAMPLE_TYPE_U8);
  spec.set_output_sample(v1::SAMPLE_TYPE_F32);
  spec.set_scale_p(1);
  spec.set_scale_q(1);
  spec.set_dtype("fp32");
  spec.set_batch(1);
  spec.set_image_width(static_cast<uint32_t>(call.shape.width));
  spec.set_image_height(static_cast<uint32_t>(call.shape.height));
  return spec;
}

TileTask TaskOf(const Call& call) {
  TileTask task;
  task.input = task.contribution = {0, 0, call.shape.width, call.shape.height};
  task.samples.resize(static_cast<size_t>(3 * call.shape.area()));
  FillNoise(5, SampleType::kU8, absl::MakeSpan(task.samples));
  return task;
}

using Samples = std::vector<std::byte>;

class CountingEngine : public ForwardingEngine {
 public:
  CountingEngine(std::unique_ptr<Engine> inner, int* loads)
      : ForwardingEngine(std::move(inner)), loads_(loads) {}
  absl::StatusOr<std::unique_ptr<Stage>> Load(
      const LocalModel& model, const StageKey& key,
      const std::function<void(std::string)>& progress) override {
    ++*loads_;
    return ForwardingEngine::Load(model, key, progress);
  }

 private:
  int* const loads_;
};

// One result per call. The results of earlier calls are held while later ones run.
std::vector<Samples> RunCalls(const EngineMaker& make, const std::vector<Call>& calls, bool evict,
                              int* loads) {
  std::vector<std::unique_ptr<Engine>> engines;
  engines.push_back(std::make_unique<CountingEngine>(make(), loads));
  CoreOptions options;
  if (evict) options.stage_bytes_max = 1;
  const auto executor = CreateCoreExecutor(std::move(engines), options);
  std::vector<Samples> results;
  for (const Call& call : calls) {
    const v1::StageSpec spec = SpecOf(call);
    const absl::Status prepared = executor->Prepare(spec, *call.model, {});
    EXPECT_TRUE(prepared.ok()) << prepared;
    auto outcomes = executor->Execute(spec, {TaskOf(call)});
    EXPECT_TRUE(outcomes[0].samples.ok()) << outcomes[0].samples.status();
    results.push_back(outcomes[0].samples.ok() ? std::move(*outcomes[0].samples).TakeOwn()
                                               : Samples());
  }
  return results;
}

class KeptByShape : public ForwardingEngine {
 public:
  using ForwardingEngine::ForwardingEngine;
  absl::StatusOr<std::unique_ptr<Stage>> Load(
      const LocalModel& model, const StageKey& key,
      const std::function<void(std::string)>& progress) override {
    std::shared_ptr<Stage>& kept = stages_[{key.shape.width, key.shape.height}];
    if (kept == nullptr) {
      auto stage = ForwardingEngine::Load(model, key, progress);
      if (!stage.ok()) return stage.status();
      kept = *std::move(stage);
    }
    return std::make_unique<Shared>(kept);
  }

 private:
  class Shared : public Stage {
   public:
    explicit Shared(std::shared_ptr<Stage> stage) : stage_(std::move(stage)) {}
    absl::StatusOr<std::vector<NetworkTile>> Run(absl::Span<const NetworkTile> inputs) override {
      return stage_->Run(inputs);
    }
    uint64_t MemoryEstimate() const override { return stage_->MemoryEstimate(); }
    uint64_t StateBytes() const override { return stage_->StateBytes(); }

   private:
    const std::shared_ptr<Stage> stage_;
  };

  std::map<std::pair<int64_t, int64_t>, std::shared_ptr<Stage>> stages_;
};

}  // namespace

Interleaving Interleave(const EngineMaker& make, const LocalModel& a, const LocalModel& b,
                        bool evict) {
  const Size wide{72, 64};
  const Size tall{64, 80};
  const std::vector<Call> stages = {{&a, 0, wide}, {&b, 1, wide}, {&a, 0, tall}, {&b, 1, tall}};
  constexpr int kRounds = 3;
  // Each stage on an executor of its own, in the way it would run if there were no other.
  std::vector<Samples> alone;
  for (const Call& stage : stages) {
    int loads = 0;
    const std::vector<Samples> results =
        RunCalls(make, std::vector<Call>(kRounds, stage), /*evict=*/false, &loads);
    for (const Samples& result : results) EXPECT_EQ(result, results[0]) << "not repeatable alone";
    alone.push_back(results[0]);
  }
  std::vector<Call> calls;
  for (int round = 0; round < kRounds; ++round) {
    calls.insert(calls.end(), stages.begin(), stages.end());
  }
  Interleaving found;
  found.calls = static_cast<int>(calls.size());
  const std::vector<Samples> results = RunCalls(make, calls, evict, &found.loads);
  found.same_bits = true;
  for (size_t i = 0; i < results.size(); ++i) {
    found.same_bits = found.same_bits && results[i] == alone[i % stages.size()];
  }
  found.stages_differ = alone[0] != alone[1] && alone[2] != alone[3];
  return found;
}

std::unique_ptr<Engine> KeyedByShapeAlone(std::unique_ptr<Engine> inner) {
  return std::make_unique<KeptByShape>(std::move(inner));
}

}  // namespace tilewright
