#include "tests/simulation/seed_plan.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "coordinator/schedule/continued.h"
#include "tests/simulation/random.h"

namespace tilewright::simulation {
namespace {

constexpr double kFlopsPerUnit = 1e12;
constexpr int kTenants = 3;

WorkerPlan DrawWorker(Random& random, size_t number) {
  WorkerPlan worker;
  worker.name = absl::StrCat("w", number);
  // Three orders of magnitude; the jobs' units shift the whole range.
  worker.unit_seconds = random.Spread(0.02, 10);
  worker.jitter = random.Chance(0.5) ? 0.1 : 0.5;
  worker.credit_tiles = static_cast<int>(random.Spread(1, 7));
  worker.memory_bytes = random.Between(2, 16) << 30;
  worker.environment_key = random.Chance(0.15) ? "other" : "same";
  worker.probe_error = random.Spread(0.5, 2);
  worker.latency = random.Spread(absl::Microseconds(100), 10);
  worker.bytes_per_second = random.Spread(1e6, 10);
  worker.preparation = random.Spread(absl::Milliseconds(10), 9);
  worker.unacknowledged_max = static_cast<int>(random.Spread(2, 6));
  worker.arrives = random.Chance(0.8) ? random.Between(absl::ZeroDuration(), absl::Seconds(3))
                                      : random.Between(absl::ZeroDuration(), absl::Seconds(120));
  return worker;
}

JobPlan DrawJob(Random& random, size_t number, int64_t tiles_max, FaultSet faults) {
  JobPlan job;
  JobSpec& spec = job.spec;
  spec.name = absl::StrCat("jobs/", number);
  spec.tenant = absl::StrCat("t", random.Below(kTenants));
  spec.priority = random.Chance(0.5) ? 0 : static_cast<int>(random.Between(-5, 5));
  spec.on_failed_tile = static_cast<OnFailedTile>(random.Below(3));
  spec.tile_count = std::max<int64_t>(
      1, std::min<int64_t>(tiles_max, static_cast<int64_t>(random.Spread(0.6, 12))));
  spec.plan_digest = absl::StrCat("plan-", number);
  const int64_t model = random.Below(3);
  spec.model_digest = spec.model_name = absl::StrCat("model-", model);
  spec.engine = "builtin";
  spec.executed_batch = static_cast<int>(random.Chance(0.6) ? 1 : random.Between(2, 8));
  spec.prove_class = random.Chance(0.25);
  job.units = random.Spread(0.1, 6);
  spec.flops_per_tile = job.units * kFlopsPerUnit;
  spec.input_bytes = static_cast<int64_t>(random.Spread(1000, 11));
  spec.output_bytes = spec.input_bytes;
  spec.tile_timeout = random.Spread(absl::Seconds(100), 4);
  job.memory_bytes = random.Between(1, 3) << 30;
  job.submitted = random.Between(absl::ZeroDuration(), absl::Seconds(60));
  if (number == 0) job.submitted = absl::ZeroDuration();
  if (faults.Has(Fault::kPoison) && random.Chance(0.15)) {
    for (int64_t i = random.Between(1, 2); i > 0; --i) {
      job.poison.insert(random.Below(spec.tile_count));
    }
  }
  return job;
}

// What came later draws from a source of its own, so that the seeds stay what they were.
void DrawLimits(uint64_t seed, FaultSet drawn, FaultSet allowed, SeedPlan* plan) {
  Random random = Random::For(seed, 6);
  int64_t tile_bytes = 0, job_bytes = 0;
  for (JobPlan& job : plan->jobs) {
    JobSpec& spec = job.spec;
    const absl::Duration most = random.Spread(absl::Seconds(5), 8);
    const bool hurried = random.Chance(0.3) && drawn.Has(Fault::kMaxDuration);
    if (hurried && allowed.Has(Fault::kMaxDuration)) spec.max_duration = most;
    tile_bytes = std::max(tile_bytes, spec.input_bytes + spec.output_bytes);
    job_bytes = std::max(job_bytes, spec.output_bytes * spec.tile_count);
  }
  for (WorkerPlan& worker : plan->workers) {
    const double tiles = random.Spread(1, 5);
    const bool few = random.Chance(0.4) && drawn.Has(Fault::kByteCredit);
    if (few && allowed.Has(Fault::kByteCredit))
      worker.credit_bytes = static_cast<int64_t>(static_cast<double>(tile_bytes) * tiles);
  }
  const bool by_jobs = random.Chance(0.5);
  for (int tenant = 0; tenant < kTenants; ++tenant) {
    TenantQuota quota;
    quota.share = static_cast<double>(random.Between(1, 3));
    if (drawn.Has(Fault::kQuota) && allowed.Has(Fault::kQuota)) {
      // Every job fits alone.
      if (by_jobs) quota.open_jobs_max = 1;
      if (!by_jobs) quota.open_bytes_max = job_bytes;
    }
    plan->options.quotas[absl::StrCat("t", tenant)] = quota;
  }
}

// The job goes on from what another one of the same request had done.
void Continue(Random& random, JobPlan* job) {
  JobSpec& spec = job->spec;
  auto from = std::make_shared<ContinuedTiles>();
  const double done = random.Chance(0.2) ? 1 : random.Between(1, 9) / 10.0;
  for (int64_t tile = 0; tile < spec.tile_count; ++tile) {
    if (!random.Chance(done)) continue;
    const bool hole = spec.on_failed_tile == OnFailedTile::kHole && random.Chance(0.1);
    if (hole) {
      from->holes.insert(tile);
    } else {
      from->accepted.insert(tile);
    }
    job->poison.erase(tile);
  }
  from->promise = spec.prove_class || random.Chance(0.5) ? Promise::kStrict : Promise::kTolerant;
  // What workers of the first environment give (SimWorker::ClassOf).
  const std::string proven = absl::StrCat("class-same-", spec.model_digest);
  if (from->promise == Promise::kStrict) from->numeric_class = spec.prove_class ? proven : "same";
  from->classes.insert(spec.prove_class ? proven : "same");
  spec.continued = std::move(from);
}

// The last stage of a job whose first is at `begin` goes on; of those before it only some tiles are
// needed, by their number, and none if nothing is left to do.
void ContinueStages(Random& random, size_t begin, std::vector<JobPlan>* jobs) {
  JobPlan& last = jobs->back();
  Continue(random, &last);
  const ContinuedTiles& from = *last.spec.continued;
  const auto done = static_cast<int64_t>(from.accepted.size() + from.holes.size());
  const double open = 1 - static_cast<double>(done) /
                              static_cast<double>(std::max<int64_t>(last.spec.tile_count, 1));
  for (size_t i = begin; i + 1 < jobs->size(); ++i) {
    JobPlan& before = (*jobs)[i];
    before.spec.tile_count =
        static_cast<int64_t>(std::ceil(open * static_cast<double>(before.spec.tile_count)));
    std::erase_if(before.poison, [&](int64_t tile) { return tile >= before.spec.tile_count; });
  }
}

void DrawContinued(uint64_t seed, SeedPlan* plan) {
  Random random = Random::For(seed, 8);
  for (JobPlan& job : plan->jobs) {
    if (random.Chance(0.25)) Continue(random, &job);
  }
}

}  // namespace

int64_t SeedPlan::tiles() const {
  int64_t tiles = 0;
  for (const JobPlan& job : jobs) tiles += job.spec.tile_count;
  return tiles;
}

double SeedPlan::units() const {
  double units = 0;
  for (const JobPlan& job : jobs) units += static_cast<double>(job.spec.tile_count) * job.units;
  return units;
}

SeedPlan DrawPlan(uint64_t seed, FaultSet allowed) {
  SeedPlan plan;
  plan.seed = seed;
  Random shape = Random::For(seed, 1);
  // Few faults at a time show what each does; all at once show what they do to each other.
  Random chance = Random::For(seed, 2);
  const double density = chance.Chance(0.1) ? 0 : chance.Chance(0.5) ? 0.25 : 0.8;
  for (Fault fault : FaultSet::All().List()) {
    if (chance.Chance(density)) plan.faults = plan.faults.With(fault);
  }
  plan.drawn_faults = plan.faults;
  plan.faults = plan.faults.And(allowed);
  plan.fault_pause = chance.Spread(absl::Milliseconds(100), 8);
  plan.fault_budget = static_cast<int>(chance.Spread(4, 5));
  plan.fault_phase = chance.Spread(absl::Seconds(30), 4);

  const int64_t workers = std::min<int64_t>(64, static_cast<int64_t>(shape.Spread(1, 7)));
  for (int64_t i = 0; i < workers; ++i) {
    plan.workers.push_back(DrawWorker(shape, static_cast<size_t>(i)));
  }
  // The first one can do everything, so that a job without hope is the exception.
  plan.workers[0].memory_bytes = int64_t{64} << 30;
  plan.workers[0].environment_key = "same";
  const int64_t jobs = shape.Between(1, 4);
  int64_t left = 2000;
  for (int64_t j = 0; j < jobs; ++j) {
    plan.jobs.push_back(
        DrawJob(shape, static_cast<size_t>(j), std::max<int64_t>(left, 1), plan.drawn_faults));
    left -= plan.jobs.back().spec.tile_count;
    if (!allowed.Has(Fault::kPoison)) plan.jobs.back().poison.clear();
  }
  DrawLimits(seed, plan.drawn_faults, allowed, &plan);
  DrawContinued(seed, &plan);
  return plan;
}

void AddStages(SeedPlan* plan) {
  Random random = Random::For(plan->seed, 7);
  std::vector<JobPlan> jobs;
  int64_t most_bytes = 0;
  for (const JobPlan& first : plan->jobs) {
    jobs.push_back(first);
    int64_t bytes = first.spec.output_bytes * first.spec.tile_count;
    const int64_t stages = random.Between(1, 3);
    if (stages > 1) jobs.back().spec.continued = nullptr;  // what lay between them is gone
    const size_t begin = jobs.size() - 1;
    for (int64_t later = 1; later < stages; ++later) {
      JobPlan stage = DrawJob(random, jobs.size(), 500, plan->faults);
      stage.spec.name = absl::StrCat(first.spec.name, "/stages/", later);
      stage.spec.job_of_stage = first.spec.name;
      stage.spec.plan_digest = absl::StrCat("plan-", stage.spec.name);
      stage.spec.tenant = first.spec.tenant;
      stage.spec.priority = first.spec.priority;
      stage.spec.on_failed_tile = first.spec.on_failed_tile;
      stage.spec.max_duration = first.spec.max_duration;
      stage.spec.ready_max = static_cast<int64_t>(random.Spread(1, 6));
      stage.submitted = first.submitted;
      if (first.poison.empty()) stage.poison.clear();
      bytes += stage.spec.output_bytes * stage.spec.tile_count;
      jobs.push_back(std::move(stage));
    }
    if (stages > 1 && random.Chance(0.3)) ContinueStages(random, begin, &jobs);
    most_bytes = std::max(most_bytes, bytes);
  }
  for (auto& [tenant, quota] : plan->options.quotas)  // every job fits alone
    quota.open_bytes_max = std::max(quota.open_bytes_max, most_bytes);
  plan->jobs = std::move(jobs);
  plan->staged = true;
}

std::pair<int64_t, int64_t> TilesUnder(const JobSpec& stage, const JobSpec& next, int64_t tile) {
  return {std::max<int64_t>(0, tile * stage.tile_count / next.tile_count - 1),
          std::min(stage.tile_count, (tile + 1) * stage.tile_count / next.tile_count + 1)};
}

}  // namespace tilewright::simulation
