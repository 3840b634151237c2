#include "tests/simulation/makespan.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace tilewright::simulation {
namespace {

constexpr double kFastest = 0.1;  // seconds a tile

// `speeds`: relative to the fastest, one a worker.
SeedPlan Pool(const std::vector<double>& speeds, int64_t tiles) {
  SeedPlan plan;
  plan.seed = 1;
  plan.fault_phase = absl::Hours(10);
  plan.fault_pause = absl::Seconds(2);
  plan.fault_budget = 1000;
  for (size_t i = 0; i < speeds.size(); ++i) {
    WorkerPlan& worker = plan.workers.emplace_back();
    worker.name = absl::StrCat("w", i);
    worker.unit_seconds = kFastest / speeds[i];
    worker.jitter = 0.1;
    worker.credit_tiles = 256;
    worker.latency = absl::Microseconds(300);
    worker.preparation = absl::Milliseconds(10);
  }
  JobPlan& job = plan.jobs.emplace_back();
  job.spec.name = "jobs/0";
  job.spec.tile_count = tiles;
  job.spec.plan_digest = "plan";
  job.spec.model_digest = job.spec.model_name = "model";
  job.spec.engine = "builtin";
  job.spec.flops_per_tile = 1e12;
  job.spec.input_bytes = job.spec.output_bytes = 1000;
  return plan;
}

std::vector<double> Mixed(size_t workers, const std::vector<double>& speeds) {
  std::vector<double> all;
  for (size_t i = 0; i < workers; ++i) all.push_back(speeds[i % speeds.size()]);
  return all;
}

}  // namespace

std::vector<MakespanCase> SmallPools() {
  std::vector<MakespanCase> cases;
  cases.push_back({"8 equal, 200 tiles each", Pool(Mixed(8, {1}), 1600), 1.02});
  cases.push_back({"1 : 4.5, 2 workers", Pool({1, 1 / 4.5}, 400)});
  cases.push_back({"1 : 10, 2 workers", Pool({1, 0.1}, 400)});
  cases.push_back({"1 : 10, 8 workers", Pool(Mixed(8, {1, 0.1}), 1600)});
  MakespanCase faulty{"1 : 1000 mixed, a fault at a tenth of 20 workers",
                      Pool(Mixed(20, {1, 0.3, 0.1, 0.03, 0.001}), 4000)};
  faulty.plan.faults = faulty.plan.drawn_faults =
      FaultSet::None().With(Fault::kCrash).With(Fault::kCutControl).With(Fault::kCutResults);
  faulty.plan.fault_pause = absl::Seconds(20);
  cases.push_back(std::move(faulty));
  return cases;
}

MakespanCase GreatPool() {
  MakespanCase great{"10,000 workers, 1 : 10", Pool(Mixed(10'000, {1, 0.5, 0.2, 0.1}), 1'000'000)};
  great.plan.fold_records = false;
  great.plan.check_every = 1'000'000'000;
  return great;
}

Makespan Measure(const SeedPlan& plan) {
  const Outcome outcome = RunPlan(plan);
  Makespan makespan;
  makespan.trouble = outcome.trouble;
  makespan.time = outcome.time;
  double fastest = plan.workers.front().unit_seconds;
  for (const WorkerPlan& worker : plan.workers) fastest = std::min(fastest, worker.unit_seconds);
  const double seconds = absl::ToDoubleSeconds(outcome.time);
  const double work = plan.units();
  const double by_speed = (work + outcome.destroyed_units) * seconds / outcome.capacity_units;
  makespan.over_bound = seconds / std::max(by_speed, plan.jobs.front().units * fastest);
  makespan.over_fastest_alone = seconds / (work * fastest);
  makespan.duplicates =
      std::max(0.0, outcome.units_granted - work - outcome.destroyed_units) / work;
  return makespan;
}

}  // namespace tilewright::simulation
