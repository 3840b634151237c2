// A job without pictures and an engine without work, so that only scheduling and transport are
// measured.

#ifndef TILEWRIGHT_TESTS_BENCH_NULL_JOB_H_
#define TILEWRIGHT_TESTS_BENCH_NULL_JOB_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "coordinator/jobs/job_host.h"
#include "proto/wire/checksum.h"
#include "worker/executor/executor.h"

namespace tilewright {

// Tiles with empty inputs. Results are counted and dropped. Thread-safe as JobHost says.
class NullJob : public JobHost {
 public:
  explicit NullJob(v1::StageSpec stage) : stage_(std::move(stage)) {
    header_.mutable_tile()->set_job(stage_.job());
    header_.mutable_tile()->set_generation(stage_.generation());
    header_.set_plan_digest(stage_.plan_digest());
    v1::Tensor* tensor = header_.add_tensors();
    tensor->set_name("image");
    tensor->set_dtype(stage_.input_sample());
    tensor->set_channels(stage_.input_channels());
    tensor->mutable_rect();
    tensor->mutable_inline_();
    header_.mutable_contribution();
    header_.set_checksum(Checksum({}));
  }

  const v1::StageSpec& stage() const override { return stage_; }
  JobMemory memory() const override { return {}; }
  void LimitHeld(int64_t) override {}
  int64_t held_bytes() const override { return 0; }
  void OnCost(const std::string&, int64_t, const v1::TileCost&) override {}
  absl::StatusOr<OutgoingTile> ReadTile(int64_t tile, LeaseKey lease) override {
    OutgoingTile out{header_, std::make_shared<const std::vector<std::byte>>()};
    out.header.mutable_tile()->set_index(static_cast<uint64_t>(tile));
    out.header.mutable_lease()->set_epoch(lease.epoch);
    out.header.mutable_lease()->set_sequence(lease.sequence);
    return out;
  }
  absl::Status CheckResult(const v1::TileHeader&, int64_t) const override {
    return absl::OkStatus();
  }
  absl::Status MakeRoom(int64_t) override { return absl::OkStatus(); }
  absl::Status Merge(int64_t, std::vector<std::byte> samples) override {
    bytes_ += static_cast<int64_t>(samples.size());
    return absl::OkStatus();
  }
  absl::Status MergeHole(int64_t) override { return absl::OkStatus(); }
  absl::Status Finish() override { return absl::OkStatus(); }
  void Abandon(const absl::Status&) override {}
  void OnStarted() override {}
  void OnMerging() override {}
  void OnNotice(const Notice&) override {}
  void OnHole(int64_t) override {}
  void OnWaitsForRoom(const std::string&) override {}
  void OnEnded(const absl::Status& status, const JobView& last) override {
    status_ = status;
    view_ = last;
    ended_.Notify();
  }

  // Waits for the end.
  const JobView& Wait() {
    ended_.WaitForNotification();
    return view_;
  }
  const absl::Status& status() const { return status_; }  // after Wait
  int64_t bytes() const { return bytes_; }                // after Wait

 private:
  const v1::StageSpec stage_;
  v1::TileHeader header_;
  int64_t bytes_ = 0;
  absl::Status status_;
  JobView view_;
  absl::Notification ended_;
};

// Answers every tile at once with `bytes` zero bytes, each written once.
class NullExecutor : public Executor {
 public:
  explicit NullExecutor(size_t bytes) : bytes_(bytes) {}

  absl::Status Prepare(const v1::StageSpec&, const LocalModel&,
                       const std::function<void(std::string)>&) override {
    return absl::OkStatus();
  }
  InFlight<Outcomes> Begin(const v1::StageSpec&, std::vector<TileTask> tasks) override {
    return InFlight<Outcomes>([this, tasks = std::move(tasks)] {
      Outcomes outcomes;
      outcomes.reserve(tasks.size());
      for (const TileTask& task : tasks) {
        TileSamples samples = task.TakeMemory(bytes_);
        if (samples.slots()) std::memset(samples.bytes().data(), 0, bytes_);  // own memory is zero
        outcomes.push_back({task.index, std::move(samples), v1::TileCost()});
      }
      return outcomes;
    });
  }
  absl::StatusOr<CanaryOutcome> RunCanary(const v1::StageSpec&, uint64_t) override {
    return CanaryOutcome{"0", 0.0};
  }

 private:
  const size_t bytes_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_BENCH_NULL_JOB_H_
