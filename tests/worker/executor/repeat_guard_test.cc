#include "worker/executor/repeat_guard.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "tests/worker/executor/fake_engine.h"

namespace tilewright {
namespace {

NetworkTile Ramp(uint64_t index, float from) {
  NetworkTile tile{index, {4, 2}, 1, {}};
  for (int i = 0; i < 8; ++i) tile.values.push_back(from + static_cast<float>(i));
  return tile;
}

// Its network returns the tiles, spoilt by `spoil`, which is told the number of the run.
class RepeatGuardTest : public testing::Test {
 protected:
  using Spoil = std::function<void(int run, std::vector<NetworkTile>* tiles)>;

  std::unique_ptr<Stage> Guarded(Spoil spoil) {
    auto engine = CreateRepeatGuard(std::make_unique<FakeEngine>(
        [this, spoil = std::move(spoil)](
            const std::vector<NetworkTile>& inputs) -> absl::StatusOr<std::vector<NetworkTile>> {
          std::vector<NetworkTile> outputs = inputs;
          spoil(++runs_, &outputs);
          return outputs;
        },
        nullptr));
    return *engine->Load({}, {}, {});
  }

  int runs_ = 0;
};

TEST_F(RepeatGuardTest, LetsDifferentTilesAndTheSameTileTwicePass) {
  const auto stage = Guarded([](int, auto*) {});
  for (const float from : {1.0f, 2.0f, 2.0f, 3.0f}) {
    const std::vector<NetworkTile> tiles = {Ramp(1, from), Ramp(2, from + 10)};
    EXPECT_TRUE(stage->Run(tiles).ok());
  }
  EXPECT_EQ(runs_, 4);
}

TEST_F(RepeatGuardTest, RunsOnceMoreWhereTheBufferIsThatOfTheRunBefore) {
  std::vector<float> buffer;
  const auto stage = Guarded([&](int run, std::vector<NetworkTile>* tiles) {
    if (run == 2) tiles->front().values = buffer;
    buffer = tiles->front().values;
  });
  EXPECT_TRUE(stage->Run({{Ramp(1, 1)}}).ok());
  const auto second = stage->Run({{Ramp(2, 5)}});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ((*second)[0].values, Ramp(2, 5).values);
  EXPECT_EQ(runs_, 3);
}

TEST_F(RepeatGuardTest, CallsABufferThatNobodyWritesABadResult) {
  const auto stage = Guarded([](int, std::vector<NetworkTile>* tiles) { *tiles = {Ramp(1, 1)}; });
  EXPECT_TRUE(stage->Run({{Ramp(1, 1)}}).ok()) << "the first one cannot be told";
  const auto second = stage->Run({{Ramp(2, 5)}});
  EXPECT_EQ(CauseOf(second.status()), v1::FAILURE_CAUSE_BAD_RESULT);
  EXPECT_EQ(second.status().message(),
            "the engine gave tile 2 the output of a different tile, twice");
}

TEST_F(RepeatGuardTest, ComparesTheTilesOfABatch) {
  const auto stage =
      Guarded([](int, std::vector<NetworkTile>* tiles) { (*tiles)[1] = (*tiles)[0]; });
  const std::vector<NetworkTile> tiles = {Ramp(1, 1), Ramp(2, 5)};
  EXPECT_EQ(CauseOf(stage->Run(tiles).status()), v1::FAILURE_CAUSE_BAD_RESULT);
}

TEST_F(RepeatGuardTest, BelievesAModelThatDoesNotSeeTheDifference) {
  // Labels: 0, or 1 from 4.25 on.
  const auto stage = Guarded([](int, std::vector<NetworkTile>* tiles) {
    for (float& value : tiles->front().values) value = value >= 4.25f ? 1.0f : 0.0f;
  });
  EXPECT_TRUE(stage->Run({{Ramp(1, 0.75f)}}).ok());
  const auto second = stage->Run({{Ramp(2, 0.5f)}});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ((*second)[0].values, std::vector<float>({0, 0, 0, 0, 1, 1, 1, 1}));
  EXPECT_EQ(runs_, 5) << "two, one with another input, and the same again";
}

TEST_F(RepeatGuardTest, LetsConstantsPass) {
  const auto stage = Guarded([](int, std::vector<NetworkTile>* tiles) {
    for (NetworkTile& tile : *tiles) tile.values.assign(8, 0.5f);
  });
  EXPECT_TRUE(stage->Run({{Ramp(1, 1)}}).ok());
  EXPECT_TRUE(stage->Run({{Ramp(2, 5)}}).ok());
  EXPECT_EQ(runs_, 2);
}

}  // namespace
}  // namespace tilewright
