// The torch engine on a CUDA device, where there is one: graphs change no bit, stages keep their
// own, and the device tells what it has.

#include <gtest/gtest.h>

#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/worker/engine/interleave.h"
#include "tests/worker/engine/tiling.h"
#include "tests/worker/engine/torch_fixture.h"
#include "worker/engine/engine.h"
#include "worker/engine/torch_graph.h"

namespace tilewright {
namespace {

LocalModel Graphed(const std::string& name) {
  LocalModel model = TestModel(name);
  model.manifest.set_cuda_graph(true);
  return model;
}

class TorchCuda : public ::testing::Test {
 protected:
  void SetUp() override {
    auto engine = Make(/*graphs=*/true);
    if (!engine.ok()) GTEST_SKIP() << "no CUDA device: " << engine.status().message();
    engine_ = *std::move(engine);
  }

  static absl::StatusOr<std::unique_ptr<Engine>> Make(bool graphs) {
    TorchOptions options;
    options.device = "cuda:0";
    options.cuda_graphs = graphs;
    return CreateTorchEngine(options);
  }

  std::unique_ptr<Engine> engine_;
};

TEST_F(TorchCuda, GraphsGiveTheBitsOfPlainRuns) {
  const auto plain_engine = Make(/*graphs=*/false);
  ASSERT_TRUE(plain_engine.ok()) << plain_engine.status();
  const LocalModel model = Graphed("srvgg2x4");
  for (const int batch : {1, 8}) {
    const StageKey key = KeyFor(model, {64, 64}, batch);
    const auto graphed = engine_->Load(model, key, {});
    const auto plain = (*plain_engine)->Load(model, key, {});
    ASSERT_TRUE(graphed.ok()) << graphed.status();
    ASSERT_TRUE(plain.ok()) << plain.status();
    for (int run = 0; run < GraphRunner::kWarmUps + 3; ++run) {
      std::vector<NetworkTile> tiles = NoiseTiles(batch + run, {64, 64});
      tiles.erase(tiles.begin(), tiles.begin() + run);
      const auto a = (*graphed)->Run(tiles);
      const auto b = (*plain)->Run(tiles);
      ASSERT_TRUE(a.ok()) << a.status();
      ASSERT_TRUE(b.ok()) << b.status();
      for (size_t i = 0; i < tiles.size(); ++i) EXPECT_TRUE((*a)[i].values == (*b)[i].values);
    }
    EXPECT_EQ((*graphed)->Notes().without_graph, "");
    EXPECT_GT((*graphed)->Notes().device_seconds, 0);
  }
}

TEST_F(TorchCuda, RunsInFlightKeepTheirOwnBits) {
  std::vector<std::unique_ptr<Stage>> stages;
  for (const char* name : {"reach-8", "reach-16"}) {
    const LocalModel model = Graphed(name);
    auto stage = engine_->Load(model, KeyFor(model, {64, 64}, 1), {});
    ASSERT_TRUE(stage.ok()) << stage.status();
    stages.push_back(*std::move(stage));
  }
  const std::vector<NetworkTile> tiles = NoiseTiles(8, {64, 64});
  const auto one = [&tiles](size_t i) { return absl::MakeConstSpan(&tiles[i % tiles.size()], 1); };
  // Begun with another in flight: A, B by turns, A alone, B alone; graphs are recorded on the way.
  for (const std::vector<size_t>& order : std::vector<std::vector<size_t>>{{0, 1}, {0}, {1}}) {
    std::optional<InFlight<Stage::Outputs>> before;
    for (size_t i = 0; i < 12; ++i) {
      Stage& stage = *stages[order[i % order.size()]];
      InFlight<Stage::Outputs> now = stage.Begin(one(i));
      EXPECT_TRUE(now.overlaps());
      if (before.has_value()) {
        Stage& last = *stages[order[(i - 1) % order.size()]];
        const Stage::Outputs landed = std::move(*before).Land();
        ASSERT_TRUE(landed.ok()) << landed.status();
        EXPECT_GT(last.Notes().device_seconds, 0);
        const Stage::Outputs alone = last.Run(one(i - 1));
        ASSERT_TRUE(alone.ok()) << alone.status();
        EXPECT_TRUE((*landed)[0].values == (*alone)[0].values) << i;
      }
      before = std::move(now);
    }
    EXPECT_TRUE(std::move(*before).Land().ok());
  }
}

TEST_F(TorchCuda, StagesWithGraphsNeverTakeEachOthersPlace) {
  const auto make = [] {
    auto engine = Make(/*graphs=*/true);
    EXPECT_TRUE(engine.ok()) << engine.status();
    return engine.ok() ? *std::move(engine) : nullptr;
  };
  for (const bool evict : {true, false}) {
    const Interleaving found = Interleave(make, Graphed("reach-8"), Graphed("reach-16"), evict);
    EXPECT_TRUE(found.same_bits);
    EXPECT_TRUE(found.stages_differ) << "the control";
  }
}

TEST_F(TorchCuda, TellsItsMemoryAndWhatWorksOnIt) {
  const EngineDevice device = engine_->ExamineDevice();
  EXPECT_EQ(device.kind, "cuda");
  EXPECT_GT(device.memory_total_bytes, 0u);
  EXPECT_GT(engine_->MemoryFree(), 0u);
  EXPECT_LE(engine_->MemoryFree(), device.memory_total_bytes);
  for (const std::string& dtype : device.dtypes) std::cout << dtype << "\n";
}

}  // namespace
}  // namespace tilewright
