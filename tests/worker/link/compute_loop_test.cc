// The loop at a desk of the test's own, with a device that goes on by itself: what begins, lands
// and is delivered when.

#include "worker/link/compute_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/wire/model_digest.h"
#include "tests/worker/executor/fake_device.h"
#include "worker/executor/core_executor.h"

namespace tilewright {
namespace {

using ::testing::ElementsAre;

constexpr uint32_t kSide = 512;  // a result is delivered by itself

// Hands out what it was given, then says stop.
class FakeDesk : public TileDesk {
 public:
  explicit FakeDesk(std::vector<std::string>* log) : log_(log) {}

  std::optional<Work> Next(bool wait, bool may_start) override {
    if (work.empty()) {
      if (wait) log_->push_back("wait");
      return std::nullopt;
    }
    if (!work.front().has_value() && !wait) {
      work.pop_front();
      return std::nullopt;  // it is a moment late
    }
    const auto* lease = std::get_if<LeaseWork>(&*work.front());
    if (lease != nullptr && lease->kind == LeaseWork::Kind::kCompute) {
      if (!may_start && lease->terms->lease != started_) return std::nullopt;
      started_ = lease->terms->lease;
    }
    Work next = *std::move(work.front());
    work.pop_front();
    return next;
  }
  void Preparing(LeaseRef, const std::string&) override {}
  void Prepared(LeaseRef) override { log_->push_back("prepared"); }
  void PrepareFailed(LeaseRef, v1::FailureCause, const absl::Status& why) override {
    ADD_FAILURE() << why;
  }
  void Deliver(std::vector<Delivery> deliveries) override {
    for (Delivery& delivery : deliveries) {
      for (OutgoingTile& result : delivery.results) {
        log_->push_back(absl::StrCat("deliver ", result.header.tile().index()));
        results.push_back(std::move(result));
      }
      for (const v1::TileFailed& failed : delivery.failures) {
        log_->push_back(absl::StrCat("failed ", failed.index()));
      }
    }
  }
  std::shared_ptr<Segment> SharedMemory() override { return nullptr; }
  void CanaryDone(v1::CanaryResult result) override {
    EXPECT_EQ(result.text(), "");
    log_->push_back("canary");
  }
  void DeviceMoved() override {}
  void DeviceLost(const absl::Status&) override { log_->push_back("lost"); }

  std::deque<std::optional<Work>> work;  // nullopt: nothing is there just now
  std::vector<OutgoingTile> results;

 private:
  LeaseRef started_;
  std::vector<std::string>* const log_;
};

class ComputeLoopTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "compute_loop_test";
    std::filesystem::remove_all(folder_);
    const std::map<std::string, std::string> files = {
        {"manifest.textproto",
         "engine: \"fake\" entry: \"network\" inputs { channels: 1 } outputs { channels: 1 }"},
        {"network", "weights"}};
    ModelDigest digest;
    for (const auto& [name, contents] : files) digest.AddFile(name, contents);
    digest_ = digest.Finish();
    const std::string model = absl::StrCat(folder_, "/models/", digest_);
    std::filesystem::create_directories(model);
    for (const auto& [name, contents] : files) std::ofstream(model + "/" + name) << contents;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  v1::StageSpec Stage(uint32_t number) const {
    v1::StageSpec stage;
    stage.set_job("jobs/a");
    stage.set_stage(number);
    stage.set_model("models/fake/versions/1");
    stage.set_model_digest(digest_);
    stage.set_tile_width(kSide);
    stage.set_tile_height(kSide);
    stage.set_input_channels(1);
    stage.set_output_channels(1);
    stage.set_input_sample(v1::SAMPLE_TYPE_U8);
    stage.set_output_sample(v1::SAMPLE_TYPE_U8);
    stage.set_scale_p(1);
    stage.set_scale_q(1);
    stage.set_batch(1);
    return stage;
  }
  // Work of lease 1/`lease`: preparing a stage, or a tile of it.
  TileDesk::Work Prepare(uint64_t lease, uint32_t stage = 0) const {
    return Of(lease, stage, LeaseWork::Kind::kPrepare);
  }
  TileDesk::Work Tile(uint64_t index, uint64_t lease = 1, uint32_t stage = 0) const {
    LeaseWork work = Of(lease, stage, LeaseWork::Kind::kCompute);
    TileTask task;
    task.index = index;
    task.input = task.contribution = {0, 0, kSide, kSide};
    task.samples.assign(kSide * kSide, static_cast<std::byte>(index));
    work.tasks.push_back(std::move(task));
    return work;
  }
  LeaseWork Of(uint64_t lease, uint32_t stage, LeaseWork::Kind kind) const {
    LeaseWork work;
    work.kind = kind;
    auto terms = std::make_shared<LeaseTerms>();
    terms->lease = {1, lease};
    terms->stage = Stage(stage);
    work.terms = std::move(terms);
    return work;
  }

  // The network adds a step; the tile `lost_` loses the device.
  Stage::Outputs Network(std::vector<NetworkTile> tiles) {
    if (tiles.front().index == lost_) {
      return EngineError(v1::FAILURE_CAUSE_DEVICE_LOST, "an illegal access");
    }
    for (float& value : tiles.front().values) value += 1.0f / 255;
    return tiles;
  }
  // Runs the loop until it has done all work.
  void Run(std::unique_ptr<Engine> engine) {
    std::vector<std::unique_ptr<Engine>> engines;
    engines.push_back(std::move(engine));
    const auto executor = CreateCoreExecutor(std::move(engines));
    ModelCache models(folder_, /*bytes_max=*/1 << 20, nullptr);
    ComputeLoop loop({"left", "first", {}}, executor.get(), &models, &desk_);
    loop.Run();
    for (const OutgoingTile& result : desk_.results) {
      const uint64_t index = result.header.tile().index();
      EXPECT_EQ(*result.payload,
                std::vector<std::byte>(kSide * kSide, static_cast<std::byte>(index + 1)));
    }
  }
  void RunOnDevice() {
    FakeDevice device(&log_);
    Run(std::make_unique<FakeDeviceEngine>(&device, [this](const LocalModel&) {
      return [this](const std::vector<NetworkTile>& tiles) { return Network(tiles); };
    }));
  }

  std::string folder_;
  std::string digest_;
  std::optional<uint64_t> lost_;
  std::vector<std::string> log_;
  FakeDesk desk_{&log_};
};

TEST_F(ComputeLoopTest, TheDeviceComputesOneBatchWhileTheOneBeforeItIsPacked) {
  desk_.work = {Prepare(1), Tile(1), Tile(2), Tile(3)};
  RunOnDevice();
  EXPECT_THAT(log_, ElementsAre("prepared", "begin 1", "begin 2", "done 1", "land 1", "deliver 1",
                                "begin 3", "done 2", "land 2", "deliver 2", "done 3", "land 3",
                                "deliver 3", "wait"));
}

TEST_F(ComputeLoopTest, NothingIsInFlightWhileNothingFollows) {
  desk_.work = {Prepare(1), Tile(1), std::nullopt, Tile(2)};
  RunOnDevice();
  EXPECT_THAT(log_, ElementsAre("prepared", "begin 1", "done 1", "land 1", "deliver 1", "begin 2",
                                "done 2", "land 2", "deliver 2", "wait"));
}

TEST_F(ComputeLoopTest, ACanaryAndAnotherStageFindTheDeviceIdle) {
  v1::Canary canary;
  *canary.mutable_stage() = Stage(0);
  desk_.work = {Prepare(1), Tile(1), canary, Tile(2), Prepare(2, 1), Tile(3, 2, 1)};
  RunOnDevice();
  EXPECT_THAT(log_,
              ElementsAre("prepared", "begin 1", "done 1", "land 1", "deliver 1",  //
                          "begin 0", "done 0", "land 0", "begin 0", "done 0", "land 0", "canary",
                          "begin 2", "done 2", "land 2", "deliver 2", "prepared",  //
                          "begin 3", "done 3", "land 3", "deliver 3", "wait"));
}

TEST_F(ComputeLoopTest, ALeaseOfTheSameStageIsPreparedBesideWhatIsInFlightAndStartsAfterIt) {
  desk_.work = {Prepare(1), Tile(1), Prepare(2), Tile(2, 2)};
  RunOnDevice();
  EXPECT_THAT(log_, ElementsAre("prepared", "begin 1", "prepared", "done 1", "land 1", "deliver 1",
                                "begin 2", "done 2", "land 2", "deliver 2", "wait"));
}

TEST_F(ComputeLoopTest, ADeviceThatIsLostChargesOnlyTheBatchThatLostIt) {
  lost_ = 1;
  desk_.work = {Prepare(1), Tile(1), Tile(2), Tile(3)};
  RunOnDevice();
  EXPECT_THAT(
      log_, ElementsAre("prepared", "begin 1", "begin 2", "done 1", "land 1", "failed 1", "lost"));
}

TEST_F(ComputeLoopTest, WithoutADeviceOfItsOwnABatchLandsBeforeTheNextBegins) {
  desk_.work = {Prepare(1), Tile(1), Tile(2)};
  Run(std::make_unique<FakeEngine>(
      [this](const std::vector<NetworkTile>& tiles) {
        log_.push_back(absl::StrCat("run ", tiles.front().index));
        return Network(tiles);
      },
      nullptr));
  EXPECT_THAT(log_, ElementsAre("prepared", "run 1", "deliver 1", "run 2", "deliver 2", "wait"));
}

}  // namespace
}  // namespace tilewright
