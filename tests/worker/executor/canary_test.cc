#include "worker/executor/canary.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "proto/wire/noise.h"
#include "tests/worker/executor/fake_engine.h"

namespace tilewright {
namespace {

StageNumbers Numbers(Size shape = {5, 3}) {
  StageNumbers numbers;
  numbers.shape = shape;
  numbers.channels.samples_in = numbers.channels.network_in = 1;
  numbers.inputs = {{1, {}}};
  numbers.channels.samples_out = numbers.channels.network_out = 1;
  return numbers;
}

std::string DigestOf(FakeNetwork network, int batch = 3, uint64_t seed = 1) {
  FakeStage stage(std::move(network));
  const auto outcome = DigestCanary(Numbers(), batch, seed, stage);
  EXPECT_TRUE(outcome.ok()) << outcome.status();
  return outcome.ok() ? outcome->digest : "";
}

// Adds `step` to the tile in slot `slot`, in every execution or only in execution `only`.
FakeNetwork SlotDependent(size_t slot, float step, int only = -1) {
  int execution = 0;
  return [=](std::vector<NetworkTile> tiles) mutable {
    if (only < 0 || execution == only) tiles[slot].values[0] += step;
    ++execution;
    return absl::StatusOr<std::vector<NetworkTile>>(tiles);
  };
}

TEST(Canary, TellsEqualBitsFromOthers) {
  const std::string plain = DigestOf(SlotDependent(0, 0));
  EXPECT_EQ(plain.size(), 32u);
  EXPECT_EQ(DigestOf(SlotDependent(0, 0)), plain);
  EXPECT_NE(DigestOf(SlotDependent(0, 0), 3, /*seed=*/2), plain);
  EXPECT_NE(DigestOf(SlotDependent(0, 0), 2), plain);
}

TEST(Canary, SeesOneBitInAnySlotOfAnyExecution) {
  std::set<std::string> digests = {DigestOf(SlotDependent(0, 0))};
  for (size_t slot = 0; slot < 3; ++slot) {
    for (int execution : {-1, 0, 1})
      digests.insert(DigestOf(SlotDependent(slot, 1e-7f, execution)));
  }
  EXPECT_EQ(digests.size(), 10u) << "each way to differ has a digest of its own";
}

TEST(Canary, IsOfTilesNotOfSlots) {
  // An engine may see the tiles in any order: what counts is what it gives for each.
  std::vector<std::vector<uint64_t>> orders;
  const auto record = [&orders](const std::vector<NetworkTile>& tiles) {
    std::vector<uint64_t> order;
    for (const NetworkTile& tile : tiles) order.push_back(tile.index);
    orders.push_back(order);
    return absl::StatusOr<std::vector<NetworkTile>>(tiles);
  };
  DigestOf(record);
  EXPECT_EQ(orders, (std::vector<std::vector<uint64_t>>{{0, 1, 2}, {1, 2, 0}}));
}

TEST(Canary, PassesAFailureOn) {
  FakeStage stage([](const auto&) -> absl::StatusOr<std::vector<NetworkTile>> {
    return EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY, "no room");
  });
  const auto outcome = DigestCanary(Numbers(), 1, 1, stage);
  EXPECT_EQ(CauseOf(outcome.status()), v1::FAILURE_CAUSE_OUT_OF_MEMORY);
}

// Gives for each value its place: tile after tile, so counted through the whole batch.
absl::StatusOr<std::vector<NetworkTile>> Places(std::vector<NetworkTile> tiles) {
  for (NetworkTile& tile : tiles) {
    for (size_t i = 0; i < tile.values.size(); ++i)
      tile.values[i] = static_cast<float>(tile.index * tile.values.size() + i);
  }
  return tiles;
}

std::vector<float> ExcerptOf(FakeNetwork network, Size shape, int batch) {
  FakeStage stage(std::move(network));
  const auto outcome = DigestCanary(Numbers(shape), batch, 1, stage);
  EXPECT_TRUE(outcome.ok()) << outcome.status();
  return outcome.ok() ? outcome->excerpt : std::vector<float>();
}

TEST(Canary, ExcerptsAllOfASmallOutput) {
  std::vector<float> all(45);
  std::iota(all.begin(), all.end(), 0.0f);
  EXPECT_EQ(ExcerptOf(Places, {5, 3}, 3), all);
}

TEST(Canary, ExcerptsPlacesSpreadOverAllTilesOfALargeOne) {
  // 128 columns, and a number of values that 16,384 divides: a careless choice sees one column.
  constexpr Size kShape{128, 256};
  constexpr int kBatch = 3;
  const std::vector<float> places = ExcerptOf(Places, kShape, kBatch);
  ASSERT_EQ(places.size(), kExcerptValuesMax);
  const auto values = static_cast<float>(kShape.area() * kBatch);
  const float step = values / static_cast<float>(places.size());
  std::set<int> columns;
  for (size_t k = 0; k < places.size(); ++k) {
    EXPECT_NEAR(places[k], static_cast<float>(k) * step, 1.0f);
    if (k > 0) {
      EXPECT_LT(places[k - 1], places[k]);
    }
    columns.insert(static_cast<int>(places[k]) % 128);
  }
  EXPECT_LT(values - places.back(), 2 * step) << "the end is not seen";
  EXPECT_EQ(columns.size(), 128u);
}

TEST(Canary, ExcerptsTheSamePlacesWhateverTheValues) {
  const auto doubled = [](const std::vector<NetworkTile>& tiles) {
    auto outputs = Places(tiles);
    for (NetworkTile& tile : *outputs) {
      for (float& value : tile.values) value *= 2;
    }
    return outputs;
  };
  std::vector<float> expected = ExcerptOf(Places, {200, 200}, 2);
  for (float& value : expected) value *= 2;
  EXPECT_EQ(ExcerptOf(doubled, {200, 200}, 2), expected);
}

TEST(Canary, ExcerptsTheFirstExecutionAlone) {
  const std::vector<float> plain = ExcerptOf(SlotDependent(0, 0), {5, 3}, 3);
  EXPECT_EQ(ExcerptOf(SlotDependent(1, 0.5f, /*only=*/1), {5, 3}, 3), plain);
  std::vector<float> stepped = plain;
  stepped[15] += 0.5f;  // the first value of slot 1, which holds tile 1
  EXPECT_EQ(ExcerptOf(SlotDependent(1, 0.5f, /*only=*/0), {5, 3}, 3), stepped);
}

TEST(Canary, RefusesMissingTiles) {
  FakeStage stage([](std::vector<NetworkTile> tiles) -> absl::StatusOr<std::vector<NetworkTile>> {
    tiles.pop_back();
    return tiles;
  });
  const auto outcome = DigestCanary(Numbers(), 3, 1, stage);
  EXPECT_EQ(CauseOf(outcome.status()), v1::FAILURE_CAUSE_BAD_RESULT);
  EXPECT_EQ(outcome.status().message(), "canary: the engine gave 2 tiles for 3");
}

TEST(Noise, IsTheSameOnEveryMachine) {
  SplitMix64 random(1234567);
  EXPECT_EQ(random.Next(), 6457827717110365317u);
  EXPECT_EQ(random.Next(), 3203168211198807973u);
  std::vector<std::byte> bytes(9);
  FillNoise(1234567, SampleType::kU8, absl::MakeSpan(bytes));
  uint64_t first = 0;
  std::memcpy(&first, bytes.data(), sizeof(first));
  EXPECT_EQ(first, 6457827717110365317u);
  std::vector<float> values(100);
  FillNoise(9, SampleType::kF32, absl::MakeSpan(reinterpret_cast<std::byte*>(values.data()), 400));
  for (float value : values) EXPECT_TRUE(value >= 0 && value <= 1) << value;
  EXPECT_NE(values[0], values[1]);
}

}  // namespace
}  // namespace tilewright
