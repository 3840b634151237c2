// Stages of LibTorch's side by side: none takes another's place, and what is done to a network when
// it is loaded leaves its bits alone.

#include <gtest/gtest.h>

#include "tests/worker/engine/interleave.h"
#include "tests/worker/engine/torch_fixture.h"

namespace tilewright {
namespace {

std::unique_ptr<Engine> MakeTorchEngine() {
  auto engine = CreateTorchEngine({"cpu", 1});
  EXPECT_TRUE(engine.ok()) << engine.status();
  return engine.ok() ? *std::move(engine) : nullptr;
}

TEST(TorchStages, NeverTakeEachOthersPlace) {
  for (const bool evict : {true, false}) {
    const Interleaving found =
        Interleave(MakeTorchEngine, TestModel("reach-8"), TestModel("reach-16"), evict);
    EXPECT_TRUE(found.same_bits);
    EXPECT_TRUE(found.stages_differ) << "the control";
    EXPECT_EQ(found.loads, evict ? found.calls : 4);
  }
}

TEST(TorchStages, AreSeenToTakeEachOthersPlaceWhenKeptByShapeAlone) {
  const Interleaving found = Interleave([] { return KeyedByShapeAlone(MakeTorchEngine()); },
                                        TestModel("reach-8"), TestModel("reach-16"), true);
  EXPECT_TRUE(found.stages_differ);
  EXPECT_FALSE(found.same_bits);
}

}  // namespace
}  // namespace tilewright
