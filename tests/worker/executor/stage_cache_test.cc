#include "worker/executor/stage_cache.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace tilewright {
namespace {

struct Weights {
  uint64_t state = 0;
  uint64_t run = 0;
  uint64_t StateBytes() const { return state; }
  uint64_t MemoryEstimate() const { return run; }
};

StageKey Key(const std::string& model, uint32_t stage = 0) {
  StageKey key;
  key.model_digest = model;
  key.stage = stage;
  key.shape = {64, 64};
  key.channels = 3;
  key.dtype = "fp32";
  key.environment = "engine/1";
  return key;
}

void Insert(StageCache<Weights>& cache, const StageKey& key, Weights weights) {
  cache.Insert(key, {}, std::make_unique<Weights>(weights));
}

TEST(StageCache, LetsTheLeastRecentlyUsedGoWhenBytesRunOut) {
  StageCache<Weights> cache(100);
  Insert(cache, Key("a"), {30, 10});
  Insert(cache, Key("b"), {30, 40});
  EXPECT_EQ(cache.Bytes(), 100u) << "all states and the largest run";
  EXPECT_NE(cache.Find(Key("a")), nullptr);
  Insert(cache, Key("c"), {1, 1});
  EXPECT_EQ(cache.Find(Key("b")), nullptr) << "unused for longest";
  EXPECT_NE(cache.Find(Key("a")), nullptr);
  EXPECT_NE(cache.Find(Key("c")), nullptr);
}

TEST(StageCache, KeepsTheNewestWhateverItsSize) {
  StageCache<Weights> cache(100);
  Insert(cache, Key("a"), {30, 0});
  Insert(cache, Key("b"), {1000, 0});
  EXPECT_EQ(cache.Find(Key("a")), nullptr);
  EXPECT_NE(cache.Find(Key("b")), nullptr);
}

TEST(StageCache, BoundsTheNumberOfStagesThatHoldNothing) {
  StageCache<Weights> cache(100);
  for (uint32_t i = 0; i < 2 * StageCache<Weights>::kStagesMax; ++i) Insert(cache, Key("a", i), {});
  EXPECT_EQ(cache.size(), StageCache<Weights>::kStagesMax);
}

TEST(StageCache, KeepsOneAloneThoughOthersWereUsedLater) {
  StageCache<Weights> cache(100);
  for (uint32_t i = 0; i < 3; ++i) Insert(cache, Key("a", i), {});
  cache.KeepOnly(Key("a", 1));
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_NE(cache.Find(Key("a", 1)), nullptr);
}

TEST(StageCache, FindsNothingForAKeyThatDiffersInAnything) {
  StageCache<Weights> cache(100);
  Insert(cache, Key("a"), {});
  ASSERT_NE(cache.Find(Key("a")), nullptr) << "the control";
  StageKey key = Key("b");
  EXPECT_EQ(cache.Find(key), nullptr);
  EXPECT_EQ(cache.Find(Key("a", 1)), nullptr);
  (key = Key("a")).shape = {64, 65};
  EXPECT_EQ(cache.Find(key), nullptr);
  (key = Key("a")).channels = 4;
  EXPECT_EQ(cache.Find(key), nullptr);
  (key = Key("a")).batch = 2;
  EXPECT_EQ(cache.Find(key), nullptr);
  (key = Key("a")).dtype = "bf16";
  EXPECT_EQ(cache.Find(key), nullptr);
  (key = Key("a")).environment = "engine/2";
  EXPECT_EQ(cache.Find(key), nullptr);
}

TEST(StageCache, ReplacesWhatWasKeptForTheKey) {
  StageCache<Weights> cache(100);
  Insert(cache, Key("a"), {30, 0});
  Insert(cache, Key("a"), {50, 0});
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_EQ(cache.Bytes(), 50u);
}

}  // namespace
}  // namespace tilewright
