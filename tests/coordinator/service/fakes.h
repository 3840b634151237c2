// Honest fakes of what surrounds the dispatcher: a clock that a test holds, streams that remember,
// a job without pixels. Thread-safe.

#ifndef TILEWRIGHT_TESTS_COORDINATOR_SERVICE_FAKES_H_
#define TILEWRIGHT_TESTS_COORDINATOR_SERVICE_FAKES_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/jobs/job_host.h"
#include "coordinator/jobs/state_store.h"
#include "coordinator/jobs/wire_types.h"
#include "coordinator/service/clock.h"
#include "coordinator/service/worker_streams.h"
#include "proto/wire/checksum.h"

namespace tilewright {

class FakeClock : public Clock {
 public:
  Instant Now() const override {
    absl::MutexLock lock(&mu_);
    return now_;
  }
  void Advance(absl::Duration by) {
    absl::MutexLock lock(&mu_);
    now_ = now_ + by;
  }

 private:
  mutable absl::Mutex mu_;
  Instant now_ = Instant::FromStart(absl::Seconds(1000));
};

// Waits, at most 10 s, until `condition` holds.
inline bool Eventually(absl::Mutex& mu, const std::function<bool()>& condition) {
  absl::MutexLock lock(&mu);
  return mu.AwaitWithTimeout(absl::Condition(&condition), absl::Seconds(10));
}

class FakeControl : public ControlSink {
 public:
  void Send(std::vector<v1::CoordinatorEvent> events) override {
    absl::MutexLock lock(&mu_);
    events_.insert(events_.end(), events.begin(), events.end());
  }
  void Close(const absl::Status& status) override {
    absl::MutexLock lock(&mu_);
    closed_ = status;
  }

  std::vector<v1::Lease> grants() const {
    absl::MutexLock lock(&mu_);
    std::vector<v1::Lease> grants;
    for (const auto& event : events_) {
      if (event.has_grant()) grants.push_back(event.grant());
    }
    return grants;
  }
  std::vector<v1::CoordinatorEvent> events() const {
    absl::MutexLock lock(&mu_);
    return events_;
  }
  std::optional<absl::Status> closed() const {
    absl::MutexLock lock(&mu_);
    return closed_;
  }

 private:
  mutable absl::Mutex mu_;
  std::vector<v1::CoordinatorEvent> events_;
  std::optional<absl::Status> closed_;
};

// Keeps what is sent; the test says when bytes have left.
class FakeInputs : public InputSink {
 public:
  void Send(std::vector<OutgoingTile> tiles) override {
    absl::MutexLock lock(&mu_);
    for (OutgoingTile& tile : tiles) {
      pending_ += static_cast<int64_t>(tile.payload->size());
      sent_.push_back(static_cast<int64_t>(tile.header.tile().index()));
    }
  }
  int64_t pending_bytes() const override {
    absl::MutexLock lock(&mu_);
    return pending_;
  }
  void Close(const absl::Status& status) override {
    absl::MutexLock lock(&mu_);
    closed_ = status;
  }

  void Drain() {
    absl::MutexLock lock(&mu_);
    pending_ = 0;
  }
  bool AwaitSent(size_t tiles) {
    return Eventually(mu_, [&] { return sent_.size() >= tiles; });
  }
  std::vector<int64_t> sent() const {
    absl::MutexLock lock(&mu_);
    return sent_;
  }
  std::optional<absl::Status> closed() const {
    absl::MutexLock lock(&mu_);
    return closed_;
  }

 private:
  mutable absl::Mutex mu_;
  int64_t pending_ = 0;
  std::vector<int64_t> sent_;
  std::optional<absl::Status> closed_;
};

class FakeSource : public ResultSource {
 public:
  void Resume() override {
    absl::MutexLock lock(&mu_);
    resumed_ = true;
  }
  bool AwaitResumed() {
    return Eventually(mu_, [&] { return resumed_; });
  }
  bool resumed() const {
    absl::MutexLock lock(&mu_);
    return resumed_;
  }

 private:
  mutable absl::Mutex mu_;
  bool resumed_ = false;
};

// A job of so many tiles of `tile_bytes` bytes in and out.
class FakeJob : public JobHost {
 public:
  FakeJob(std::string name, int64_t tiles, size_t tile_bytes = 100) : tile_bytes_(tile_bytes) {
    stage_.set_job(name);
    stage_.set_generation(1);
    stage_.set_plan_digest("plan");
    stage_.set_model_digest("model");
    spec_.name = std::move(name);
    spec_.tile_count = tiles;
    spec_.plan_digest = "plan";
    spec_.model_digest = "model";
    spec_.model_name = "models/fake/versions/1";
    spec_.engine = "builtin";
    spec_.flops_per_tile = 1e6;
    spec_.input_bytes = static_cast<int64_t>(tile_bytes);
    spec_.output_bytes = static_cast<int64_t>(tile_bytes);
  }

  const JobSpec& spec() const { return spec_; }
  const v1::StageSpec& stage() const override { return stage_; }
  JobMemory memory() const override { return memory_; }
  void LimitHeld(int64_t bytes_max) override { held_max_ = bytes_max; }
  int64_t held_bytes() const override { return 0; }
  void OnCost(const std::string&, int64_t, const v1::TileCost&) override {}

  absl::StatusOr<OutgoingTile> ReadTile(int64_t tile, LeaseKey lease) override {
    absl::MutexLock lock(&mu_);
    if (!read_error_.ok()) return read_error_;
    OutgoingTile outgoing;
    outgoing.header.mutable_tile()->set_job(stage_.job());
    outgoing.header.mutable_tile()->set_generation(1);
    outgoing.header.mutable_tile()->set_index(static_cast<uint64_t>(tile));
    SetWire(lease, outgoing.header.mutable_lease());
    outgoing.payload = std::make_shared<std::vector<std::byte>>(tile_bytes_);
    outgoing.header.set_payload_bytes(tile_bytes_);
    return outgoing;
  }
  absl::Status CheckResult(const v1::TileHeader&, int64_t payload_bytes) const override {
    if (payload_bytes == static_cast<int64_t>(tile_bytes_)) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("the result holds ", payload_bytes, " bytes"));
  }
  absl::Status MakeRoom(int64_t) override {
    absl::MutexLock lock(&mu_);
    ++rooms_asked_;
    return no_room_;
  }
  absl::Status Merge(int64_t tile, std::vector<std::byte>) override {
    absl::MutexLock lock(&mu_);
    const auto open = [this] { return !merging_held_; };
    mu_.Await(absl::Condition(&open));
    if (!merge_error_.ok()) return merge_error_;
    merged_.push_back(tile);
    return absl::OkStatus();
  }
  absl::Status MergeHole(int64_t tile) override {
    absl::MutexLock lock(&mu_);
    holes_.push_back(tile);
    return absl::OkStatus();
  }
  absl::Status Finish() override {
    absl::MutexLock lock(&mu_);
    ++rooms_asked_;
    if (!no_room_.ok()) return no_room_;
    finished_ = true;
    return absl::OkStatus();
  }
  void Abandon(const absl::Status&) override {
    absl::MutexLock lock(&mu_);
    abandoned_ = true;
  }
  void OnStarted() override {
    absl::MutexLock lock(&mu_);
    started_ = true;
  }
  void OnMerging() override {}
  void OnNotice(const Notice& notice) override {
    absl::MutexLock lock(&mu_);
    notices_.push_back(notice);
  }
  void OnHole(int64_t tile) override {
    absl::MutexLock lock(&mu_);
    holes_told_.push_back(tile);
  }
  void OnWaitsForRoom(const std::string& text) override {
    absl::MutexLock lock(&mu_);
    waits_for_room_ = text;
  }
  void OnEnded(const absl::Status& status, const JobView& last) override {
    absl::MutexLock lock(&mu_);
    ended_ = status;
    last_ = last;
  }

  void set_memory(const JobMemory& memory) { memory_ = memory; }
  int64_t held_max() const { return held_max_; }

  void FailReads(absl::Status status) {
    absl::MutexLock lock(&mu_);
    read_error_ = std::move(status);
  }
  void FailMerges(absl::Status status) {
    absl::MutexLock lock(&mu_);
    merge_error_ = std::move(status);
  }
  // Not OK: neither merging nor finishing finds room.
  void SetRoom(absl::Status no_room) {
    absl::MutexLock lock(&mu_);
    no_room_ = std::move(no_room);
  }
  // How often it was asked whether there is room.
  bool AwaitRoomAsked(int times) {
    return Eventually(mu_, [&] { return rooms_asked_ >= times; });
  }
  int rooms_asked() const {
    absl::MutexLock lock(&mu_);
    return rooms_asked_;
  }
  // Waits until it is told that it waits for room, or that it does not.
  bool AwaitWaitsForRoom(bool waits) {
    return Eventually(mu_, [&] { return waits_for_room_.empty() != waits; });
  }
  std::string waits_for_room() const {
    absl::MutexLock lock(&mu_);
    return waits_for_room_;
  }
  void HoldMerging(bool hold) {
    absl::MutexLock lock(&mu_);
    merging_held_ = hold;
  }
  bool AwaitEnded() {
    return Eventually(mu_, [&] { return ended_.has_value(); });
  }
  bool AwaitMerged(size_t tiles) {
    return Eventually(mu_, [&] { return merged_.size() >= tiles; });
  }
  absl::Status ended() const {
    absl::MutexLock lock(&mu_);
    return ended_.value_or(absl::UnknownError("not ended"));
  }
  bool started() const {
    absl::MutexLock lock(&mu_);
    return started_;
  }
  bool finished() const {
    absl::MutexLock lock(&mu_);
    return finished_;
  }
  bool abandoned() const {
    absl::MutexLock lock(&mu_);
    return abandoned_;
  }
  JobView last() const {
    absl::MutexLock lock(&mu_);
    return last_;
  }
  std::vector<int64_t> merged() const {
    absl::MutexLock lock(&mu_);
    return merged_;
  }
  // Tiles left out: as merged, and as reported.
  std::vector<int64_t> holes() const {
    absl::MutexLock lock(&mu_);
    return holes_;
  }
  std::vector<int64_t> holes_told() const {
    absl::MutexLock lock(&mu_);
    return holes_told_;
  }
  bool HasNotice(const std::string& kind) const {
    absl::MutexLock lock(&mu_);
    for (const Notice& notice : notices_) {
      if (notice.kind == kind) return true;
    }
    return false;
  }

 private:
  const size_t tile_bytes_;
  JobMemory memory_;
  std::atomic<int64_t> held_max_ = 0;
  v1::StageSpec stage_;
  JobSpec spec_;
  mutable absl::Mutex mu_;
  absl::Status read_error_;
  absl::Status merge_error_;
  absl::Status no_room_;
  int rooms_asked_ = 0;
  std::string waits_for_room_;
  bool merging_held_ = false;
  bool started_ = false;
  bool finished_ = false;
  bool abandoned_ = false;
  std::optional<absl::Status> ended_;
  JobView last_;
  std::vector<int64_t> merged_;
  std::vector<int64_t> holes_;
  std::vector<int64_t> holes_told_;
  std::vector<Notice> notices_;
};

// Keeps records in memory until it is told to fail. Called by one thread at a time, like any store.
class FakeStore : public StateStore {
 public:
  absl::Status Append(absl::Span<const Record> records) override {
    ++appends_;
    if (!failure_.ok()) return failure_;
    for (const Record& record : records) {
      if (on_append_) on_append_(record);
    }
    return memory_.Append(records);
  }
  absl::StatusOr<Snapshot> Load() override { return memory_.Load(); }

  void Fail(absl::Status status) { failure_ = std::move(status); }
  void OnAppend(std::function<void(const Record&)> on_append) { on_append_ = std::move(on_append); }
  int appends() const { return appends_; }

 private:
  MemoryStateStore memory_;
  absl::Status failure_;
  std::function<void(const Record&)> on_append_;
  int appends_ = 0;
};

inline v1::Hello HelloOf(const std::string& worker, const std::string& incarnation = "one",
                         uint32_t credit_tiles = 4) {
  v1::Hello hello;
  hello.mutable_protocol()->set_major(1);
  hello.set_worker(worker);
  hello.set_incarnation(incarnation);
  hello.mutable_capabilities()->add_engines("builtin");
  hello.mutable_capabilities()->add_dtypes("fp32");
  hello.mutable_capabilities()->set_probe_flops(1e9);
  hello.mutable_capabilities()->set_memory_total_bytes(uint64_t{1} << 30);
  hello.mutable_capabilities()->set_environment_key("fake");
  hello.mutable_credits()->set_tiles(credit_tiles);
  hello.mutable_credits()->set_bytes(uint64_t{1} << 28);
  return hello;
}

// An intact result of a tile of a FakeJob.
inline IncomingTile ResultOf(const v1::Lease& lease, uint64_t tile, const std::string& worker,
                             const std::string& incarnation = "one", size_t bytes = 100) {
  IncomingTile result;
  result.header.mutable_tile()->set_job(lease.stage().job());
  result.header.mutable_tile()->set_generation(lease.stage().generation());
  result.header.mutable_tile()->set_index(tile);
  *result.header.mutable_lease() = lease.id();
  result.header.set_worker(worker);
  result.header.set_incarnation(incarnation);
  result.header.set_plan_digest(lease.stage().plan_digest());
  result.header.set_model_digest(lease.stage().model_digest());
  result.payload.resize(bytes);
  result.intact = true;
  return result;
}

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_COORDINATOR_SERVICE_FAKES_H_
