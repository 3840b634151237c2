// The rules of CUDA graphs, on a recorder without a device: what it records it does again at every
// replay, into the same memory, as a device does. A real one is in torch_cuda_test.cc.

#include "worker/engine/torch_graph.h"

#include <ATen/Functions.h>
#include <c10/util/Exception.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "tests/worker/engine/tiling.h"
#include "tests/worker/engine/torch_fixture.h"
#include "worker/engine/torch_stage.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

class FakeGraph : public RecordedGraph {
 public:
  FakeGraph(std::function<at::Tensor()> work, float error)
      : work_(std::move(work)), error_(error), output_(work_()) {
    output_.fill_(NAN);  // a recording computes nothing
  }
  void Replay() override { output_.copy_(at::add(work_(), error_)); }
  const at::Tensor& output() const override { return output_; }

 private:
  const std::function<at::Tensor()> work_;
  const float error_;
  at::Tensor output_;
};

class FakeRecorder : public GraphRecorder {
 public:
  std::unique_ptr<RecordedGraph> Record(const std::function<at::Tensor()>& work) override {
    ++recorded;
    if (fail) fail();
    return std::make_unique<FakeGraph>(work, error);
  }

  int recorded = 0;
  std::function<void()> fail;
  float error = 0;  // of every replay
};

GraphRunner::Network Times(float factor) {
  return [factor](const at::Tensor& batch) -> absl::StatusOr<at::Tensor> {
    return at::mul(batch, factor);
  };
}

at::Tensor Batch(float value) { return at::full({2, 3, 4, 4}, value); }

bool Holds(const absl::StatusOr<at::Tensor>& result, float value) {
  return result.ok() && at::equal(*result, Batch(value));
}

// Whether every result still holds its values once all runs are done: A and B interleaved, A and A,
// B and B. `run` computes stage 0 or 1, which multiply by 2 and by 3.
bool KeepsResultsApart(const std::function<at::Tensor(int stage, const at::Tensor&)>& run) {
  const std::vector<std::vector<int>> orders = {{0, 1, 0, 1, 0, 1}, {0, 0, 0}, {1, 1, 1}};
  for (const std::vector<int>& order : orders) {
    std::vector<at::Tensor> results;
    float value = 1;
    for (const int stage : order) results.push_back(run(stage, Batch(value++)));
    value = 1;
    for (size_t i = 0; i < order.size(); ++i) {
      if (!Holds(results[i], value++ * (order[i] == 0 ? 2.0f : 3.0f))) return false;
    }
  }
  return true;
}

TEST(GraphRunner, RecordsOnceAfterItsWarmUps) {
  FakeRecorder recorder;
  int computed = 0;
  GraphRunner runner(
      [&computed](const at::Tensor& batch) -> absl::StatusOr<at::Tensor> {
        ++computed;
        return at::mul(batch, 2);
      },
      &recorder);
  for (int i = 0; i < GraphRunner::kWarmUps; ++i) {
    EXPECT_TRUE(Holds(runner.Run(Batch(1)), 2));
    EXPECT_FALSE(runner.recorded());
  }
  EXPECT_EQ(computed, GraphRunner::kWarmUps);
  EXPECT_TRUE(Holds(runner.Run(Batch(5)), 10));
  EXPECT_TRUE(runner.recorded());
  for (float value : {7.0f, 8.0f}) EXPECT_TRUE(Holds(runner.Run(Batch(value)), 2 * value));
  EXPECT_EQ(recorder.recorded, 1);
  EXPECT_EQ(runner.why_plain(), "");
}

TEST(GraphRunner, KeepsResultsThatLaterReplaysOverwrite) {
  FakeRecorder recorder;
  std::vector<GraphRunner> runners;
  for (float factor : {2.0f, 3.0f}) runners.emplace_back(Times(factor), &recorder);
  const auto run = [&runners](int stage, const at::Tensor& batch) {
    const auto result = runners[static_cast<size_t>(stage)].Run(batch);
    return result.ok() ? *result : at::Tensor();
  };
  for (int i = 0; i <= GraphRunner::kWarmUps; ++i) EXPECT_TRUE(KeepsResultsApart(run));
  EXPECT_TRUE(runners[0].recorded() && runners[1].recorded());
}

TEST(GraphRunner, ThatHandedOutTheGraphsOwnMemoryIsSeen) {
  FakeRecorder recorder;
  struct Careless {
    at::Tensor input = Batch(0);
    std::unique_ptr<RecordedGraph> graph;
  };
  std::vector<Careless> stages(2);
  for (size_t i = 0; i < stages.size(); ++i) {
    const at::Tensor input = stages[i].input;
    stages[i].graph = recorder.Record([input, i] { return at::mul(input, i == 0 ? 2.0f : 3.0f); });
  }
  EXPECT_FALSE(KeepsResultsApart([&stages](int stage, const at::Tensor& batch) {
    Careless& careless = stages[static_cast<size_t>(stage)];
    careless.input.copy_(batch);
    careless.graph->Replay();
    return careless.graph->output();
  })) << "the control: nothing is copied out";
}

// Runs until a graph would have been recorded, and once more.
GraphRunner RunPast(const absl::StatusOr<GraphRecorder*>& recorder) {
  GraphRunner runner(Times(2), recorder);
  for (int i = 0; i < GraphRunner::kWarmUps + 2; ++i) EXPECT_TRUE(Holds(runner.Run(Batch(3)), 6));
  return runner;
}

TEST(GraphRunner, RunsPlainlyAndSaysWhyWhereNothingCanBeRecorded) {
  FakeRecorder recorder;
  recorder.fail = [] { TORCH_CHECK(false, "operation not permitted when stream is capturing"); };
  const GraphRunner runner = RunPast(&recorder);
  EXPECT_FALSE(runner.recorded());
  EXPECT_EQ(recorder.recorded, 1) << "not tried again";
  EXPECT_EQ(runner.why_plain(),
            "no graph could be recorded: recording: operation not permitted when stream is "
            "capturing");

  recorder.fail = [] {
    throw c10::OutOfMemoryError({__func__, __FILE__, __LINE__}, "no room for a graph");
  };
  EXPECT_THAT(RunPast(&recorder).why_plain(), HasSubstr("no room for a graph"));
  EXPECT_EQ(RunPast(absl::UnavailableError("there is no recorder")).why_plain(),
            "there is no recorder");
}

TEST(GraphRunner, UsesNoGraphThatGivesOtherBits) {
  FakeRecorder recorder;
  recorder.error = 1e-6f;
  const GraphRunner runner = RunPast(&recorder);
  EXPECT_FALSE(runner.recorded());
  EXPECT_EQ(runner.why_plain(), "a replay gave other bits than a plain run");
}

TEST(GraphRunner, FailsWhereRecordingLostTheDevice) {
  FakeRecorder recorder;
  recorder.fail = [] {
    throw c10::AcceleratorError({__func__, __FILE__, __LINE__}, 700, "an illegal access");
  };
  GraphRunner runner(Times(2), &recorder);
  for (int i = 0; i < GraphRunner::kWarmUps; ++i) EXPECT_TRUE(runner.Run(Batch(1)).ok());
  EXPECT_EQ(CauseOf(runner.Run(Batch(1)).status()), v1::FAILURE_CAUSE_DEVICE_LOST);
}

// A stage on the CPU that multiplies by `factor` and counts its runs, if `runs` is not null.
std::unique_ptr<Stage> StageOf(float factor, GraphChoice graphs, int* runs = nullptr) {
  StageKey key;
  key.shape = {8, 8};
  key.channels = 3;
  key.batch = 2;
  TorchNetwork network;
  network.name = "times";
  network.input_channels = {3};
  network.forward = [factor, runs](const std::vector<at::Tensor>& inputs) -> c10::IValue {
    if (runs != nullptr) ++*runs;
    return at::mul(inputs[0], factor);
  };
  return CreateTorchStage(key, {key.shape, 3}, std::move(network), std::nullopt, std::move(graphs));
}

TEST(TorchStage, GivesTheSameThroughAGraphOfItsOwn) {
  FakeRecorder recorder;
  const std::vector<NetworkTile> tiles = NoiseTiles(2, {8, 8});
  for (float factor : {2.0f, 3.0f}) {
    const auto plain = StageOf(factor, std::nullopt)->Run(tiles);
    ASSERT_TRUE(plain.ok()) << plain.status();
    const auto stage = StageOf(factor, &recorder);
    for (int i = 0; i < GraphRunner::kWarmUps + 3; ++i) {
      const auto result = stage->Run(tiles);
      ASSERT_TRUE(result.ok()) << result.status();
      for (size_t k = 0; k < tiles.size(); ++k) {
        EXPECT_TRUE((*result)[k].values == (*plain)[k].values);
      }
      EXPECT_EQ(stage->Notes().without_graph, "");
    }
    EXPECT_GT(stage->StateBytes(), 0u) << "what the graph keeps";
  }
  EXPECT_EQ(recorder.recorded, 2);
}

TEST(TorchStage, GivesEachInputItsChannelsThroughAGraphToo) {
  FakeRecorder recorder;
  StageKey key;
  key.shape = {8, 8};
  key.channels = 3;
  key.batch = 2;
  key.dtype = "fp32";
  TorchNetwork network;
  network.name = "exchange";
  network.input_channels = {2, 1};
  network.forward = [](const std::vector<at::Tensor>& inputs) -> c10::IValue {
    EXPECT_TRUE(inputs[0].is_contiguous() && inputs[1].is_contiguous());
    return at::cat({at::mul(inputs[1], 2), inputs[0]}, 1);
  };
  const auto stage =
      CreateTorchStage(key, {key.shape, 3}, std::move(network), std::nullopt, &recorder);
  const std::vector<NetworkTile> tiles = NoiseTiles(2, {8, 8});
  for (int i = 0; i < GraphRunner::kWarmUps + 2; ++i) {
    const auto result = stage->Run(tiles);
    ASSERT_TRUE(result.ok()) << result.status();
    for (size_t k = 0; k < tiles.size(); ++k) {
      for (size_t p = 0; p < 64; ++p) {
        const float* in = &tiles[k].values[3 * p];
        const float* out = &(*result)[k].values[3 * p];
        ASSERT_TRUE(out[0] == 2 * in[2] && out[1] == in[0] && out[2] == in[1]) << "run " << i;
      }
    }
  }
  EXPECT_EQ(recorder.recorded, 1);
}

TEST(TorchStage, ComputesOnACpuWhenTheRunLands) {
  const std::vector<NetworkTile> tiles = NoiseTiles(4, {8, 8});
  int runs = 0;
  const auto stage = StageOf(2, std::nullopt, &runs);
  const absl::Span<const NetworkTile> all = tiles;
  InFlight<Stage::Outputs> first = stage->Begin(all.subspan(0, 2));
  InFlight<Stage::Outputs> second = stage->Begin(all.subspan(2, 2));
  EXPECT_FALSE(first.overlaps());
  EXPECT_EQ(runs, 0);
  const Stage::Outputs landed = std::move(first).Land();
  EXPECT_EQ(runs, 1);
  const Stage::Outputs behind = std::move(second).Land();
  const auto plain = StageOf(2, std::nullopt);
  for (const auto& [outputs, inputs] :
       {std::pair(landed, all.subspan(0, 2)), std::pair(behind, all.subspan(2, 2))}) {
    const Stage::Outputs wanted = plain->Run(inputs);
    ASSERT_TRUE(outputs.ok() && wanted.ok());
    for (size_t k = 0; k < 2; ++k) EXPECT_TRUE((*outputs)[k].values == (*wanted)[k].values);
  }
}

TEST(TorchStage, NotesThatItRunsWithoutTheGraphAskedFor) {
  const auto stage = StageOf(2, absl::UnavailableError("no module"));
  ASSERT_TRUE(stage->Run(NoiseTiles(2, {8, 8})).ok());
  EXPECT_EQ(stage->Notes().without_graph, "no module");
  EXPECT_EQ(stage->Notes().device_seconds, 0) << "a CPU has no clock of its own";
}

}  // namespace
}  // namespace tilewright
