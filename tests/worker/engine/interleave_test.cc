// The builtin engine; LibTorch's and OpenVINO's are put through the same in tests of their own.

#include "tests/worker/engine/interleave.h"

#include <gtest/gtest.h>

namespace tilewright {
namespace {

LocalModel Builtin(const std::string& entry) {
  LocalModel model;
  model.digest = entry;
  model.manifest.set_engine("builtin");
  model.manifest.set_entry(entry);
  model.manifest.add_inputs()->set_name("image");
  model.manifest.add_outputs()->set_name("image");
  return model;
}

TEST(Interleave, BuiltinStagesNeverTakeEachOthersPlace) {
  for (const bool evict : {true, false}) {
    const Interleaving found =
        Interleave(CreateBuiltinEngine, Builtin("identity"), Builtin("gaussian-blur"), evict);
    EXPECT_TRUE(found.same_bits);
    EXPECT_TRUE(found.stages_differ) << "the control";
    EXPECT_EQ(found.loads, evict ? found.calls : 4);
  }
}

TEST(Interleave, SeesAnEngineThatKeepsItsStagesByShapeAlone) {
  const Interleaving found = Interleave([] { return KeyedByShapeAlone(CreateBuiltinEngine()); },
                                        Builtin("identity"), Builtin("gaussian-blur"), true);
  EXPECT_TRUE(found.stages_differ);
  EXPECT_FALSE(found.same_bits);
}

}  // namespace
}  // namespace tilewright
