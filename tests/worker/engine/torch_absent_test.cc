#include <gtest/gtest.h>

#include "worker/engine/engine.h"

namespace tilewright {
namespace {

TEST(TorchEngine, SaysThatThisBuildLacksIt) {
  const auto engine = CreateTorchEngine({});
  EXPECT_EQ(engine.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(engine.status().message(), "this build has no LibTorch (TILEWRIGHT_TORCH=OFF)");
}

}  // namespace
}  // namespace tilewright
