// How close fault-free jobs come to the least possible time, in a small driver: deterministic
// workers with given seconds per tile, one millisecond between them and the core either way.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "coordinator/schedule/scheduler.h"
#include "gtest/gtest.h"

namespace tilewright {
namespace {

constexpr absl::Duration kLatency = absl::Milliseconds(1);

struct Outcome {
  double seconds = 0;     // of the job
  double ratio = 0;       // to work / summed speed
  double duplicates = 0;  // part of the work that was computed twice
  bool ended = false;
};

class Pool {
 public:
  Pool(std::vector<double> tile_seconds, int64_t tiles) : tiles_(tiles), scheduler_({}, 1) {
    for (size_t i = 0; i < tile_seconds.size(); ++i) {
      workers_.push_back({absl::StrCat("w", i), tile_seconds[i], {}});
    }
  }

  // From `at` on the worker takes this long for each tile that it begins.
  void Change(size_t worker, double at, double tile_seconds) {
    At(absl::Seconds(at), [=, this] { workers_[worker].tile_seconds = tile_seconds; });
  }
  void JoinLate(size_t worker, double at) { late_[worker] = at; }

  Outcome Run() {
    for (size_t i = 0; i < workers_.size(); ++i) {
      const double at = late_.contains(i) ? late_[i] : 0;
      At(absl::Seconds(at), [=, this] { Join(i); });
    }
    At(absl::ZeroDuration(), [this] {
      JobSpec job;
      job.name = "jobs/1";
      job.tile_count = tiles_;
      job.engine = "builtin";
      Send(JobSubmitted{job});
    });
    while (!ended_ && !queue_.empty() && now_.since_start() < absl::Hours(100)) {
      const Instant deadline = scheduler_.next_deadline();
      if (deadline < queue_.begin()->first) {
        now_ = deadline;
        Send(Tick{});
        continue;
      }
      now_ = queue_.begin()->first;
      const std::function<void()> next = std::move(queue_.begin()->second);
      queue_.erase(queue_.begin());
      next();
    }
    Outcome outcome;
    outcome.ended = ended_;
    outcome.seconds = absl::ToDoubleSeconds(now_.since_start());
    double speed = 0;
    for (const Worker& worker : workers_) speed += 1 / worker.tile_seconds;
    outcome.ratio = outcome.seconds * speed / static_cast<double>(tiles_);
    outcome.duplicates = wasted_ / accepted_;
    return outcome;
  }

 private:
  struct Lease {
    Grant grant;
    std::deque<int64_t> open;
  };
  struct Worker {
    std::string name;
    double tile_seconds = 1;
    std::deque<Lease> leases;
    bool busy = false;
    LeaseKey running = {};                   // the lease of the tile in hand, or of the last one
    std::vector<LeaseDropped> dropped = {};  // to be said once the tile in hand is through
  };

  void At(absl::Duration in, std::function<void()> what) {
    queue_.insert({now_ + in, std::move(what)});
  }

  Worker& Find(const std::string& name) { return workers_[std::stoul(name.substr(1))]; }

  void Join(size_t i) {
    WorkerJoined joined;
    joined.worker = workers_[i].name;
    joined.incarnation = "1";
    joined.offer.engines = {"builtin"};
    joined.offer.dtypes = {"fp32"};
    joined.offer.environment_key = "same";
    joined.offer.credit_tiles = 64;
    Send(joined);
    Beat(i);
  }

  void Beat(size_t i) {
    Send(WorkerHeard{workers_[i].name});
    At(absl::Seconds(2), [=, this] { Beat(i); });
  }

  void Send(const Event& event) {
    const Decisions decisions = scheduler_.Handle(event, now_);
    for (const TakeBack& back : decisions.take_backs)
      At(kLatency, [=, this] { TakeBackFrom(Find(back.worker), back); });
    for (const Grant& grant : decisions.grants) {
      At(kLatency, [=, this] {
        Worker& worker = Find(grant.worker);
        worker.leases.push_back({grant, {grant.tiles.begin(), grant.tiles.end()}});
        Work(worker);
      });
    }
    if (!decisions.job_ends.empty()) ended_ = decisions.job_ends[0].status.ok();
    if (decisions.verdict.has_value() && decisions.verdict->verdict == Verdict::kDuplicate)
      duplicate_ = true;
  }

  void TakeBackFrom(Worker& worker, const TakeBack& back) {
    for (auto it = worker.leases.begin(); it != worker.leases.end(); ++it) {
      if (it->grant.lease != back.lease) continue;
      std::deque<int64_t> kept;
      for (int64_t tile : it->open) {
        const bool named = back.tiles.empty() || std::find(back.tiles.begin(), back.tiles.end(),
                                                           tile) != back.tiles.end();
        if (!named) kept.push_back(tile);
      }
      it->open = kept;
      if (kept.empty()) worker.leases.erase(it);
      break;
    }
    const LeaseDropped dropped{worker.name, back.lease};
    // Not before the tile in hand is through: it cannot be stopped.
    if (worker.busy && worker.running == back.lease) {
      worker.dropped.push_back(dropped);
    } else {
      At(kLatency, [=, this] { Send(dropped); });
    }
  }

  void Work(Worker& worker) {
    if (worker.busy || worker.leases.empty()) return;
    Lease& lease = worker.leases.front();
    const LeaseKey key = lease.grant.lease;
    const int64_t tile = lease.open.front();
    if (worker.running != key)
      At(kLatency, [=, this, &worker] { Send(LeaseStarted{worker.name, key}); });
    worker.running = key;
    worker.busy = true;
    lease.open.pop_front();
    const double seconds = worker.tile_seconds;
    if (lease.open.empty()) worker.leases.pop_front();
    At(absl::Seconds(seconds), [=, this, &worker] {
      worker.busy = false;
      At(kLatency, [=, this, &worker] { Result(worker, key, tile); });
      for (const LeaseDropped& dropped : worker.dropped) At(kLatency, [=, this] { Send(dropped); });
      worker.dropped.clear();
      Work(worker);
    });
  }

  void Result(Worker& worker, LeaseKey lease, int64_t tile) {
    ResultArrived result;
    result.job = "jobs/1";
    result.generation = 1;
    result.tile = tile;
    result.lease = lease;
    result.worker = worker.name;
    result.incarnation = "1";
    duplicate_ = false;
    Send(result);
    (duplicate_ ? wasted_ : accepted_) += 1;
  }

  const int64_t tiles_;
  Scheduler scheduler_;
  Instant now_;
  std::vector<Worker> workers_;
  std::map<size_t, double> late_;
  std::multimap<Instant, std::function<void()>> queue_;
  bool ended_ = false;
  bool duplicate_ = false;
  double wasted_ = 0;
  double accepted_ = 0;
};

std::vector<double> Equal(size_t count, double tile_seconds) {
  return std::vector<double>(count, tile_seconds);
}

// Never slower than the fastest alone, and within `limit` of the bound: all speeds together, or
// one tile of the fastest.
void ExpectWithin(double limit, std::vector<double> tile_seconds, int64_t tiles,
                  double duplicates_max = 1) {
  Pool pool(tile_seconds, tiles);
  const Outcome outcome = pool.Run();
  const double fastest = *std::min_element(tile_seconds.begin(), tile_seconds.end());
  ASSERT_TRUE(outcome.ended);
  const double bound = std::max(outcome.seconds / outcome.ratio, fastest);
  EXPECT_LE(outcome.seconds / bound, limit) << tile_seconds.size() << " workers, " << tiles;
  EXPECT_LE(outcome.seconds, fastest * static_cast<double>(tiles) * 1.01 + 0.1)
      << "slower than the fastest alone";
  EXPECT_LE(outcome.duplicates, duplicates_max);
  std::cout << tile_seconds.size() << " workers, " << tiles << " tiles: " << outcome.seconds
            << " s, ratio " << outcome.seconds / bound << ", duplicates " << outcome.duplicates
            << "\n";
}

TEST(Makespan, OfEqualWorkersIsTheirSummedSpeed) {
  ExpectWithin(1.02, Equal(8, 0.1), 1600, 0.03);
  ExpectWithin(1.02, Equal(8, 1), 1600, 0.03);
  ExpectWithin(1.02, Equal(8, 0.01), 1600, 0.03);
}

TEST(Makespan, OfTwoUnequalWorkersIsTheirSummedSpeed) {
  ExpectWithin(1.05, {1, 4.5}, 100, 0.03);
  ExpectWithin(1.05, {1, 10}, 100, 0.03);
  ExpectWithin(1.05, {1, 4}, 100, 0.03);
  ExpectWithin(1.05, {0.1, 1}, 200, 0.03);
  ExpectWithin(1.05, {10, 1}, 12);
  ExpectWithin(1.1, {1, 100}, 12);
}

TEST(Makespan, OfAPoolOverThreeOrdersOfMagnitudeIsItsSummedSpeed) {
  ExpectWithin(1.05, {0.01, 10}, 2000, 0.03);
  std::vector<double> mixed;
  for (int i = 0; i < 30; ++i) mixed.push_back(0.02 * std::pow(10, i % 7 / 2.0));
  ExpectWithin(1.05, mixed, 6000, 0.03);
}

TEST(Makespan, OfOneTileIsThatOfTheFasterWorker) {
  // Nobody is measured, so either may get it; the other copies it as soon as it is late.
  for (const auto& speeds : {std::vector<double>{1, 10}, std::vector<double>{10, 1}}) {
    Pool pool(speeds, 1);
    const Outcome outcome = pool.Run();
    EXPECT_TRUE(outcome.ended);
    EXPECT_LE(outcome.seconds, 10.1);
  }
}

TEST(Makespan, FollowsAWorkerThatSlowsDown) {
  // Of 800 tiles by two equal workers, one becomes eight times slower half-way.
  Pool pool({0.1, 0.1}, 800);
  pool.Change(1, 20, 0.8);
  const Outcome outcome = pool.Run();
  EXPECT_TRUE(outcome.ended);
  const double bound = 20 + 400 / (1 / 0.1 + 1 / 0.8);
  EXPECT_LE(outcome.seconds, bound * 1.05) << bound;
}

TEST(Makespan, ProfitsFromALateJoiner) {
  Pool pool({1, 1}, 100);
  pool.JoinLate(1, 50);
  const Outcome outcome = pool.Run();
  EXPECT_TRUE(outcome.ended);
  EXPECT_LE(outcome.seconds, 75 * 1.03);
}

}  // namespace
}  // namespace tilewright
