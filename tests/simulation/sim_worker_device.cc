// The device of a simulated worker: preparations, batches, canaries, one after the other.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/simulation/sim_worker.h"
#include "tests/simulation/world.h"

namespace tilewright::simulation {
namespace {

constexpr absl::Duration kProgressEvery = absl::Seconds(1);
// A preparation that stands still does so for longer than anybody waits.
constexpr absl::Duration kStandstill = absl::Seconds(200);

std::string StageOf(const JobSpec& spec) {
  return absl::StrCat(spec.model_digest, "/", spec.executed_batch, "/", spec.input_bytes);
}

}  // namespace

void SimWorker::Occupy(absl::Duration time, std::function<void()> done) {
  busy_ = true;
  busy_since_ = world_.now();
  busy_time_ = time;
  world_.queue().After(time, [this, ticket = ++ticket_, done = std::move(done)] {
    if (ticket != ticket_ || !alive_) return;
    const auto finish = [this, done] {
      busy_ = false;
      busy_units_ = 0;
      done();
      Pump();
    };
    if (ailments_.hung) {
      stuck_ = finish;
    } else {
      finish();
    }
  });
}

void SimWorker::Pump() {
  if (!alive_ || busy_ || ailments_.hung) return;
  if (!canaries_.empty()) {
    RunCanary();
    return;
  }
  for (auto it = leases_.begin(); it != leases_.end(); ++it) {
    Lease& lease = it->second;
    if (lease.stage == Stage::kPreparing || lease.awaited + lease.ready == 0) continue;
    if (lease.stage == Stage::kQueued) {
      Prepare(it->first);
      return;
    }
    const int64_t batch = std::max(1, lease.terms.job->spec.executed_batch);
    if (lease.ready < std::min(batch, lease.ready + lease.awaited)) continue;
    if (Unverdicted() > plan_.unacknowledged_max) continue;
    std::vector<int64_t> tiles;
    bool gap = false;
    for (size_t i = lease.first_open;
         i < lease.tiles.size() && static_cast<int64_t>(tiles.size()) < batch; ++i) {
      Tile& tile = lease.tiles[i];
      if (tile.state == TileState::kReady) {
        tiles.push_back(tile.index);
        lease.Set(tile, TileState::kComputing);
      } else if (tile.state == TileState::kAwaited) {
        gap = true;
      }
      if (!gap) lease.first_open = i + 1;
    }
    Compute(it, std::move(tiles));
    return;
  }
}

void SimWorker::Prepare(LeaseKey key) {
  Lease& lease = leases_.at(key);
  const JobSpec& spec = lease.terms.job->spec;
  lease.stage = Stage::kPreparing;
  if (prepared_.contains(StageOf(spec))) {
    Occupy(absl::ZeroDuration(), [this, key] {
      const auto it = leases_.find(key);
      if (it != leases_.end()) it->second.stage = Stage::kReady;
    });
    return;
  }
  const bool stalls = std::exchange(ailments_.stall_next, false);
  if (stalls) world_.checks().Stalls(name(), lease.terms.grant);
  PrepareStep(key, stalls ? kStandstill : plan_.preparation * ailments_.slow, stalls ? 0 : 1);
}

void SimWorker::PrepareStep(LeaseKey key, absl::Duration left, uint64_t progress) {
  Tell(LeasePreparing{name(), key, progress});
  const absl::Duration step = std::min(left, kProgressEvery);
  const auto it = leases_.find(key);
  const std::string stage = it == leases_.end() ? "" : StageOf(it->second.terms.job->spec);
  Occupy(step, [this, key, left, step, progress, stage] {
    if (left > step) {
      PrepareStep(key, left - step, progress == 0 ? 0 : progress + 1);
      return;
    }
    if (!stage.empty()) prepared_.insert(stage);
    const auto lease = leases_.find(key);
    if (lease != leases_.end()) lease->second.stage = Stage::kReady;
  });
}

void SimWorker::Compute(Leases::iterator it, std::vector<int64_t> tiles) {
  Lease& lease = it->second;
  const JobPlan& job = *lease.terms.job;
  if (!lease.started) {
    lease.started = true;
    Tell(LeaseStarted{name(), it->first});
  }
  // A short batch is padded: it takes as long as a full one.
  const double units = job.units * std::max(1, job.spec.executed_batch);
  busy_units_ = job.units * static_cast<double>(tiles.size());
  const absl::Duration time = absl::Seconds(units * plan_.unit_seconds * ailments_.slow *
                                            (1 + plan_.jitter * random_.Real(-0.5, 0.5)));
  if (world_.trace().on()) {
    world_.trace().Line(name(), "compute", "lease ", it->first.epoch, "/", it->first.sequence, " ",
                        job.spec.name, " tiles ", tiles.front(), "-", tiles.back());
  }
  Occupy(time, [this, key = it->first, tiles = std::move(tiles)] { Computed(key, tiles); });
}

void SimWorker::Computed(LeaseKey key, const std::vector<int64_t>& tiles) {
  bool lost = false;
  for (int64_t index : tiles) {
    const auto it = leases_.find(key);
    if (it == leases_.end()) break;
    Lease& lease = it->second;
    Tile* tile = lease.Find(index);
    const JobPlan& job = *lease.terms.job;
    if (tile->state == TileState::kAbandoned) {
      lease.Set(*tile, TileState::kSettled);
    } else if (tile->state == TileState::kComputing) {
      std::optional<TileFailureCause> cause = std::exchange(ailments_.fail_next, std::nullopt);
      if (job.poison.contains(index)) cause = TileFailureCause::kModelError;
      if (plan_.memory_bytes < job.memory_bytes) cause = TileFailureCause::kOutOfMemory;
      if (cause.has_value()) {
        lost = lost || cause == TileFailureCause::kDeviceLost ||
               cause == TileFailureCause::kLaunchTimeout;
        lease.Set(*tile, TileState::kSettled);
        destroyed_units_ += job.units;
        world_.checks().Fails(name(), job.spec.name, index, *cause);
        world_.trace().Line(name(), "fail", job.spec.name, " tile ", index, ": ",
                            TileFailureCauseName(*cause));
        Tell(TileFailed{name(), key, index, *cause, "injected",
                        std::max(job.memory_bytes, plan_.memory_bytes),
                        static_cast<int>(tiles.size())});
      } else {
        tile->result = MakeResult(lease, index);
        lease.Set(*tile, TileState::kComputed);
        if (results_) {
          const int times = std::exchange(ailments_.repeat_next, false) ? 2 : 1;
          for (int i = 0; i < times; ++i) results_->up->Send(tile->result, job.spec.output_bytes);
          tile->result.damaged = false;
          if (std::exchange(ailments_.old_next, false)) {
            ResultSent old = tile->result;
            old.result.generation--;
            results_->up->Send(old, job.spec.output_bytes);
          }
        }
      }
    }
    Tidy(it);
  }
  // Such a device is of no use: its process ends, and a supervisor starts another.
  if (lost) world_.Crash(*this, random_.Spread(absl::Milliseconds(500), 6));
}

ResultSent SimWorker::MakeResult(const Lease& lease, int64_t tile) {
  const JobSpec& spec = lease.terms.job->spec;
  ResultSent sent;
  ResultArrived& result = sent.result;
  result.job = spec.name;
  result.generation = lease.terms.generation;
  result.tile = tile;
  result.lease = lease.terms.grant.lease;
  result.worker = name();
  result.incarnation = incarnation();
  result.plan_digest = spec.plan_digest;
  result.model_digest = spec.model_digest;
  if (ailments_.wrong_digest) {
    (random_.Chance(0.5) ? result.plan_digest : result.model_digest) = "a-lie";
  }
  if (proven_.contains(StageOf(spec))) result.numeric_class = ClassOf(spec);
  if (ailments_.wrong_class) result.numeric_class = kForeignClass;
  result.bytes = spec.output_bytes;
  sent.damaged = std::exchange(ailments_.damage_next, false);
  return sent;
}

std::string SimWorker::ClassOf(const JobSpec& spec) const {
  return absl::StrCat("class-", plan_.environment_key, "-", spec.model_digest);
}

void SimWorker::RunCanary() {
  const CanaryOrder order = canaries_.front();
  canaries_.pop_front();
  const JobPlan* job = world_.FindJob(order.job);
  const double units = job->units * std::max(1, job->spec.executed_batch);
  const absl::Duration time =
      absl::Seconds(units * plan_.unit_seconds * ailments_.slow) + plan_.preparation;
  Occupy(time, [this, order, job, time] {
    const bool fails = std::exchange(ailments_.canary_next, false);
    CanaryMeasured measured{name(), order.canary, "", absl::ToDoubleSeconds(time), ""};
    if (fails) {
      measured.text = "injected";
    } else {
      measured.digest = ClassOf(job->spec);
      proven_.insert(StageOf(job->spec));
      prepared_.insert(StageOf(job->spec));
    }
    world_.trace().Line(name(), "canary", order.job, fails ? " fails" : " done");
    Tell(measured);
  });
}

}  // namespace tilewright::simulation
