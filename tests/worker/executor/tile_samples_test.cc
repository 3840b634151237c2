// Results that are computed into slots of shared memory: the samples are those of this process's
// own memory, and whatever becomes of a tile, its slots are free again.

#include "worker/executor/tile_samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "proto/wire/segment.h"
#include "proto/wire/slots.h"
#include "tests/worker/executor/fake_engine.h"
#include "tests/worker/executor/stage_fixture.h"
#include "worker/executor/checking_executor.h"
#include "worker/executor/core_executor.h"

namespace tilewright {
namespace {

using ::testing::ElementsAre;

// Gives slots for results of every size, as long as there are some.
class Slots : public ResultMemory {
 public:
  TileSamples Take(size_t bytes) override {
    auto slots =
        SlottedPayload::Reserve(segment_, SegmentHalf::kResults, bytes, absl::ZeroDuration());
    if (!slots) return std::vector<std::byte>(bytes);
    ++taken_;
    return slots;
  }
  int taken() const { return taken_; }
  bool AllAreFree() const {
    return SlottedPayload::Reserve(segment_, SegmentHalf::kResults,
                                   static_cast<size_t>(kSlotsMax * kSlotBytes),
                                   absl::ZeroDuration()) != nullptr;
  }

 private:
  const std::shared_ptr<Segment> segment_ = Segment::Create(uint64_t{1} << 30).value();
  int taken_ = 0;
};

class TileSamplesTest : public testing::Test {
 protected:
  std::unique_ptr<Executor> Prepared(FakeNetwork network, uint32_t model_channels) const {
    std::vector<std::unique_ptr<Engine>> engines;
    engines.push_back(std::make_unique<FakeEngine>(std::move(network), nullptr));
    auto executor = CreateCheckingExecutor(CreateCoreExecutor(std::move(engines)));
    const absl::Status prepared =
        executor->Prepare(stage_, FakeModel(model_channels, model_channels), {});
    EXPECT_TRUE(prepared.ok()) << prepared;
    return executor;
  }
  TileTask Task(uint64_t index, ResultMemory* memory) const {
    TileTask task = FakeTask(index, stage_, 10);
    task.memory = memory;
    return task;
  }

  Slots slots_;
  v1::StageSpec stage_ = FakeStageSpec(1, 1);
};

TEST_F(TileSamplesTest, AreComputedIntoSlotsWhereThereAreSome) {
  const auto executor = Prepared([](const auto& tiles) { return tiles; }, 1);
  auto outcomes = executor->Execute(stage_, {Task(0, &slots_)});
  ASSERT_TRUE(outcomes[0].samples.ok()) << outcomes[0].samples.status();
  EXPECT_NE(outcomes[0].samples->slots(), nullptr);
  EXPECT_THAT(AsInts(outcomes[0].samples->bytes()), ElementsAre(10, 11, 12, 13, 14, 15, 16, 17));
  EXPECT_FALSE(slots_.AllAreFree()) << "the result holds one";
  outcomes.clear();
  EXPECT_TRUE(slots_.AllAreFree());

  const auto all = slots_.Take(static_cast<size_t>(kSlotsMax * kSlotBytes));
  ASSERT_NE(all.slots(), nullptr);
  outcomes = executor->Execute(stage_, {Task(1, &slots_)});
  ASSERT_TRUE(outcomes[0].samples.ok()) << outcomes[0].samples.status();
  EXPECT_EQ(outcomes[0].samples->slots(), nullptr);
  EXPECT_THAT(AsInts(outcomes[0].samples->bytes()), ElementsAre(10, 11, 12, 13, 14, 15, 16, 17));
}

TEST_F(TileSamplesTest, WithAlphaAreTheSameInSlots) {
  stage_ = FakeStageSpec(4, 4);
  stage_.set_image_width(100);
  stage_.set_image_height(2);
  const auto executor = Prepared([](const auto& tiles) { return tiles; }, 3);
  const auto slotted = executor->Execute(stage_, {Task(0, &slots_)});
  const auto own = executor->Execute(stage_, {Task(0, nullptr)});
  ASSERT_TRUE(slotted[0].samples.ok()) << slotted[0].samples.status();
  EXPECT_NE(slotted[0].samples->slots(), nullptr);
  EXPECT_EQ(own[0].samples->slots(), nullptr);
  EXPECT_EQ(own[0].samples->size(), 32u);
  EXPECT_EQ(slotted[0].samples->bytes(), own[0].samples->bytes());
}

TEST_F(TileSamplesTest, OfTilesThatFailGiveTheirSlotsBack) {
  const auto executor = Prepared(
      [](std::vector<NetworkTile> tiles) {
        tiles[0].values[5] = std::numeric_limits<float>::quiet_NaN();
        return absl::StatusOr<std::vector<NetworkTile>>(std::move(tiles));
      },
      1);
  for (int i = 0; i < 3 * kSlotsMax; ++i) {
    const auto outcomes = executor->Execute(stage_, {Task(0, &slots_)});
    ASSERT_EQ(CauseOf(outcomes[0].samples.status()), v1::FAILURE_CAUSE_BAD_RESULT);
    EXPECT_TRUE(slots_.AllAreFree()) << i;
  }
  EXPECT_EQ(slots_.taken(), 3 * kSlotsMax) << "each had one";
}

}  // namespace
}  // namespace tilewright
