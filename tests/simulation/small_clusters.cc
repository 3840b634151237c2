#include "tests/simulation/small_clusters.h"

#include <cmath>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/simulation/random.h"
#include "tests/simulation/simulation.h"

namespace tilewright::simulation {
namespace {

constexpr double kFactor = 2;
// Below so many tiles of what was promised the size of a lease decides.
constexpr double kTilesMin = 20;

SeedPlan DrawFairPlan(uint64_t seed) {
  Random random = Random::For(seed, 4);
  SeedPlan plan;
  plan.seed = seed;
  plan.fault_phase = absl::Hours(1);
  for (int64_t i = random.Between(1, 8); i > 0; --i) {
    WorkerPlan& worker = plan.workers.emplace_back();
    worker.name = absl::StrCat("w", i);
    worker.unit_seconds = random.Spread(0.2, 4);
    worker.jitter = 0.1;
    worker.credit_tiles = 64;
  }
  const int64_t jobs = random.Between(2, 4), tenants = random.Between(1, jobs);
  for (int64_t j = 0; j < jobs; ++j) {
    JobPlan& job = plan.jobs.emplace_back();
    job.spec.name = absl::StrCat("jobs/", j);
    job.spec.tenant = absl::StrCat("t", j < tenants ? j : random.Below(tenants));
    job.spec.priority = static_cast<int>(random.Between(-2, 2));
    job.units = random.Spread(0.5, 2);
    job.spec.tile_count = static_cast<int64_t>(600 / job.units);
    job.spec.plan_digest = absl::StrCat("plan-", j);
    job.spec.model_digest = job.spec.model_name = absl::StrCat("model-", random.Below(2));
    job.spec.engine = "builtin";
    job.spec.flops_per_tile = job.units * 1e12;
    job.spec.input_bytes = static_cast<int64_t>(1000 * job.units);
    job.spec.output_bytes = 1000;
  }
  return plan;
}

}  // namespace

std::string RunFairness(uint64_t seed) {
  const SeedPlan plan = DrawFairPlan(seed);
  const Outcome outcome = RunPlan(plan);
  if (!outcome.trouble.empty()) return outcome.trouble;
  std::map<std::string, double> tenants;  // summed weights
  double served = 0;
  for (const JobPlan& job : plan.jobs) {
    tenants[job.spec.tenant] += std::ldexp(1.0, job.spec.priority);
    served += outcome.units_at_first_end.at(job.spec.name);
  }
  for (const JobPlan& job : plan.jobs) {
    const double share = std::ldexp(1.0, job.spec.priority) / tenants[job.spec.tenant] /
                         static_cast<double>(tenants.size());
    const double promised = served * share;
    const double got = outcome.units_at_first_end.at(job.spec.name);
    if (promised / job.units < kTilesMin) continue;
    if (got * kFactor < promised || got > promised * kFactor) {
      return absl::StrCat(job.spec.name, " received ", got, " units of work where its share of ",
                          share, " promised ", promised);
    }
  }
  return "";
}

std::string RunSlowdowns(uint64_t seed) {
  SeedPlan plan = DrawFairPlan(seed);
  plan.faults = plan.drawn_faults = FaultSet::None().With(Fault::kSlowDown);
  plan.fault_pause = absl::Seconds(3);
  plan.fault_budget = 1000;
  const Outcome outcome = RunPlan(plan);
  if (!outcome.trouble.empty()) return outcome.trouble;
  if (outcome.jobs_succeeded == static_cast<int64_t>(plan.jobs.size())) return "";
  return absl::StrCat("only ", outcome.jobs_succeeded, " of ", plan.jobs.size(),
                      " jobs succeeded, though no tile failed");
}

std::string RunLiar(uint64_t seed) {
  SeedPlan plan = DrawFairPlan(seed);
  Random random = Random::For(seed, 5);
  const WorkerPlan worker = plan.workers.front();
  plan.workers.assign(static_cast<size_t>(random.Between(4, 8)), worker);
  for (size_t i = 0; i < plan.workers.size(); ++i) {
    plan.workers[i].name = absl::StrCat("w", i);
    plan.workers[i].unit_seconds = random.Real(0.05, 0.2);
  }
  plan.workers[static_cast<size_t>(random.Below(static_cast<int64_t>(plan.workers.size())))].lies =
      true;
  JobPlan job = plan.jobs.front();
  plan.jobs.clear();
  for (int i = 0; i < 12; ++i) {
    job.spec.name = absl::StrCat("jobs/", i);
    job.spec.plan_digest = absl::StrCat("plan-", i);
    job.spec.tile_count = 100;
    plan.jobs.push_back(job);
  }
  const Outcome outcome = RunPlan(plan);
  if (!outcome.trouble.empty()) return outcome.trouble;
  // Three to begin with, and as many each time it comes back: each absence is twice as long.
  const double absences =
      1 + std::log2(1 + absl::FDivDuration(outcome.time, plan.options.quarantine_min));
  if (static_cast<double>(outcome.bad_results) <= 3 * (1 + absences)) return "";
  return absl::StrCat("the liar spoilt ", outcome.bad_results, " tiles in ",
                      absl::ToDoubleSeconds(outcome.time), " s");
}

}  // namespace tilewright::simulation
