// The simulator as a program: many seeds, or one with its trace. `--help` says how.

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "tests/simulation/makespan.h"
#include "tests/simulation/simulation.h"

namespace tilewright::simulation {
namespace {

constexpr char kHelp[] =
    "tilewright-simulate [--first-seed N] [--seeds N] [--seed N] [--faults a,b] [--off a,b]\n"
    "                    [--trace] [--plan] [--no-shrink]\n"
    "  --seed N         one seed; the same as --first-seed N --seeds 1\n"
    "  --faults a,b     only these faults ('none': none)\n"
    "  --off a,b        all but these\n"
    "  --trace          one line an event (README.md says what the columns are)\n"
    "  --makespan       a table of times against the least that is possible\n"
    "  --scale          the cost of an event with up to 10,000 workers and a million tiles\n"
    "  --stages         the same jobs with one or two more stages each (no faults are looked for)\n"
    "  --plan           what the seed draws\n"
    "  --no-shrink      do not look for the faults that matter to a failure\n";

struct Flags {
  uint64_t first_seed = 1;
  uint64_t seeds = 200;
  FaultSet faults = FaultSet::All();
  bool trace = false;
  bool plan = false;
  bool shrink = true;
  bool makespan = false;
  bool scale = false;
  bool stages = false;
};

bool ParseFaults(const std::string& names, std::vector<Fault>* faults) {
  if (names == "none") return true;
  const std::vector<std::string> list = absl::StrSplit(names, ',');
  for (const std::string& name : list) {
    const std::optional<Fault> fault = FaultByName(name);
    if (!fault.has_value()) {
      std::cerr << "there is no fault '" << name << "'; they are " << FaultSet::All().ToString()
                << "\n";
      return false;
    }
    faults->push_back(*fault);
  }
  return true;
}

bool Parse(int argc, char** argv, Flags* flags) {
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const auto number = [&](uint64_t* value) {
      return ++i < argc && absl::SimpleAtoi(argv[i], value);
    };
    std::vector<Fault> faults;
    bool good = true;
    if (flag == "--seed") {
      good = number(&flags->first_seed);
      flags->seeds = 1;
    } else if (flag == "--first-seed") {
      good = number(&flags->first_seed);
    } else if (flag == "--seeds") {
      good = number(&flags->seeds);
    } else if (flag == "--faults") {
      good = ++i < argc && ParseFaults(argv[i], &faults);
      flags->faults = FaultSet::None();
      for (Fault fault : faults) flags->faults = flags->faults.With(fault);
    } else if (flag == "--off") {
      good = ++i < argc && ParseFaults(argv[i], &faults);
      for (Fault fault : faults) flags->faults = flags->faults.Without(fault);
    } else if (flag == "--trace") {
      flags->trace = true;
    } else if (flag == "--plan") {
      flags->plan = true;
    } else if (flag == "--makespan") {
      flags->makespan = true;
    } else if (flag == "--scale") {
      flags->scale = true;
    } else if (flag == "--stages") {
      flags->stages = true;
      flags->shrink = false;
    } else if (flag == "--no-shrink") {
      flags->shrink = false;
    } else {
      good = false;
    }
    if (!good) {
      std::cerr << kHelp;
      return false;
    }
  }
  return true;
}

void PrintPlan(const SeedPlan& plan) {
  std::cout << "faults " << plan.faults.ToString() << "\nevery " << plan.fault_pause << " for "
            << plan.fault_phase << ", budget " << plan.fault_budget << "\n";
  for (const WorkerPlan& worker : plan.workers) {
    std::cout << worker.name << ": " << worker.unit_seconds << " s a unit, holds "
              << worker.credit_tiles << ", " << (worker.memory_bytes >> 30) << " GiB, key "
              << worker.environment_key << ", latency " << worker.latency << ", arrives "
              << worker.arrives << "\n";
  }
  for (const JobPlan& job : plan.jobs) {
    std::cout << job.spec.name << ": " << job.spec.tile_count << " tiles of " << job.units
              << " units, " << job.spec.model_name << " x" << job.spec.executed_batch
              << (job.spec.prove_class ? " strict" : "") << ", " << job.spec.tenant << " priority "
              << job.spec.priority << ", submitted " << job.submitted << "\n";
  }
}

void PrintMakespans() {
  std::cout << "time/bound (goal)  time/fastest alone  duplicates  pool\n";
  for (const MakespanCase& pool : SmallPools()) {
    const Makespan m = Measure(pool.plan);
    std::cout << absl::StrFormat("%10.3f (%.2f)  %18.3f  %9.1f%%  %s%s\n", m.over_bound, pool.goal,
                                 m.over_fastest_alone, m.duplicates * 100, pool.name,
                                 m.trouble.empty() ? "" : ": " + m.trouble);
  }
}

double MegabytesAtMost() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void PrintScale() {
  std::cout << "workers      tiles     events  µs/event  p99 µs/grant  s in the core  time/bound  "
               "most MB of the process\n";
  for (const auto& [workers, tiles] :
       {std::pair{100, 10'000}, std::pair{1000, 100'000}, std::pair{10'000, 1'000'000}}) {
    SeedPlan plan = GreatPool().plan;
    plan.workers.resize(static_cast<size_t>(workers));
    plan.jobs.front().spec.tile_count = tiles;
    const Outcome outcome = RunPlan(plan);
    std::cout << absl::StrFormat(
        "%7d %10d %10d  %8.2f  %12.1f  %13.2f  %10.3f  %22.0f%s\n", workers, tiles,
        outcome.core_cost.events,
        outcome.core_cost.seconds * 1e6 / static_cast<double>(outcome.core_cost.events),
        outcome.core_cost.GrantPercentile99() * 1e6, outcome.core_cost.seconds,
        outcome.capacity_units / (plan.units() + outcome.destroyed_units), MegabytesAtMost(),
        outcome.trouble.empty() ? "" : ": " + outcome.trouble);
    std::cout << std::flush;
  }
}

int Main(int argc, char** argv) {
  Flags flags;
  if (!Parse(argc, argv, &flags)) return 2;
  if (flags.makespan) PrintMakespans();
  if (flags.scale) PrintScale();
  if (flags.makespan || flags.scale) return 0;
  int failed = 0;
  Outcome sum;
  int64_t jobs = 0, near = 0;
  for (uint64_t seed = flags.first_seed; seed < flags.first_seed + flags.seeds; ++seed) {
    SeedPlan plan = DrawPlan(seed, flags.faults);
    if (flags.stages) AddStages(&plan);
    if (flags.trace) plan.check_every = 1;
    if (flags.plan) PrintPlan(plan);
    const Outcome outcome = flags.trace    ? RunPlan(plan, &std::cout)
                            : flags.stages ? RunPlan(plan)
                                           : RunSeed(seed, flags.faults);
    sum.jobs_succeeded += outcome.jobs_succeeded;
    sum.tiles_merged += outcome.tiles_merged;
    sum.tiles_granted += outcome.tiles_granted;
    sum.faults += outcome.faults;
    sum.coordinators += outcome.coordinators;
    sum.steps += outcome.steps;
    sum.contests += outcome.contests;
    sum.over_bound = std::max(sum.over_bound, outcome.over_bound);
    near += outcome.over_bound > 0.5;
    jobs += static_cast<int64_t>(plan.jobs.size());
    if (outcome.trouble.empty()) continue;
    ++failed;
    if (flags.shrink) {
      std::cout << Shrink(seed, flags.faults, outcome).Explain() << std::flush;
    } else {
      std::cout << "seed " << seed << ": " << outcome.trouble << "\n" << std::flush;
    }
  }
  std::cout << flags.seeds << " seeds from " << flags.first_seed << ": " << failed << " failed; "
            << sum.jobs_succeeded << " of " << jobs << " jobs succeeded, " << sum.tiles_merged
            << " tiles merged of " << sum.tiles_granted << " granted, " << sum.faults << " faults, "
            << sum.coordinators << " coordinators, " << sum.steps << " steps; at most "
            << sum.over_bound << " of the time allowed, above half of it " << near << " times; "
            << sum.contests << " long contests of jobs or tenants\n";
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace tilewright::simulation

int main(int argc, char** argv) { return tilewright::simulation::Main(argc, argv); }
