// A dispatcher among fakes of clock, streams, store and jobs. One thread, the test's.

#ifndef TILEWRIGHT_TESTS_COORDINATOR_SERVICE_DISPATCHER_FIXTURE_H_
#define TILEWRIGHT_TESTS_COORDINATOR_SERVICE_DISPATCHER_FIXTURE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/service/dispatcher.h"
#include "gtest/gtest.h"
#include "tests/coordinator/service/fakes.h"

namespace tilewright {

class DispatcherTest : public testing::Test {
 protected:
  void Make(DispatcherOptions options = {}) {
    options.epoch = 7;
    options.keep_time = false;
    auto store = std::make_unique<FakeStore>();
    store_ = store.get();
    dispatcher_ = std::make_unique<Dispatcher>(options, clock_, std::move(store));
  }

  std::shared_ptr<FakeControl> Join(const v1::Hello& hello) {
    auto control = std::make_shared<FakeControl>();
    const absl::Status status = dispatcher_->Hello(hello, control);
    EXPECT_TRUE(status.ok()) << status;
    return control;
  }
  std::shared_ptr<FakeInputs> Attach(const std::string& worker) {
    auto inputs = std::make_shared<FakeInputs>();
    const auto feed = dispatcher_->AttachInputs(worker, "one", inputs);
    EXPECT_TRUE(feed.ok()) << feed.status();
    if (feed.ok()) feed_ = *feed;
    return inputs;
  }
  std::shared_ptr<FakeJob> Submit(int64_t tiles, size_t tile_bytes = 100) {
    auto job = std::make_shared<FakeJob>("jobs/a", tiles, tile_bytes);
    const absl::Status status = dispatcher_->Submit(job->spec(), job);
    EXPECT_TRUE(status.ok()) << status;
    return job;
  }
  v1::TileVerdict Result(IncomingTile tile) {
    const std::string worker = tile.header.worker();
    const std::string incarnation = tile.header.incarnation();
    std::vector<IncomingTile> tiles;
    tiles.push_back(std::move(tile));
    return dispatcher_->Results(worker, incarnation, std::move(tiles)).value().at(0);
  }
  void SayStarted(const std::string& worker, const FakeControl& control, const v1::Lease& lease) {
    v1::ControlRequest request;
    *request.add_events()->mutable_started()->mutable_lease() = lease.id();
    dispatcher_->Heard(worker, &control, request);
  }
  // Answers every tile of every lease until no new one comes; the time of a tile passes for each.
  void ComputeAll(const std::string& worker, const FakeControl& control) {
    for (size_t done = 0; done < control.grants().size(); ++done) {
      const v1::Lease lease = control.grants()[done];
      SayStarted(worker, control, lease);
      for (const uint64_t tile : lease.tiles()) {
        clock_.Advance(absl::Milliseconds(1));
        Result(ResultOf(lease, tile, worker));
      }
    }
  }

  FakeClock clock_;
  FakeStore* store_ = nullptr;  // of dispatcher_
  std::unique_ptr<Dispatcher> dispatcher_;
  std::shared_ptr<InputPump::Feed> feed_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_COORDINATOR_SERVICE_DISPATCHER_FIXTURE_H_
