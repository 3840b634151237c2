#include "tests/simulation/fairness.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "tests/simulation/world.h"

namespace tilewright::simulation {
namespace {

// Fewer ready tiles a worker than this, and slow workers leave them to faster ones.
constexpr int64_t kPlenty = 2;
// Where transfer takes a greater part of computing, what a tile costs depends on what overlaps.
constexpr double kTransferPart = 0.1;

}  // namespace

Fairness::Fairness(World& world) : world_(world) {
  const std::vector<WorkerPlan>& workers = world.plan().workers;
  for (const JobPlan& job : world.plan().jobs) {
    double relative = 0, speed = 0;
    bool all = job.spec.tiles_ahead == 0;
    for (const WorkerPlan& worker : workers) {
      // As part of a whole executed batch, which is how the core counts it.
      const double seconds = job.units * worker.unit_seconds;
      relative += worker.probe_error / worker.unit_seconds;
      speed += 1 / seconds;
      if (TransferSeconds(worker, job) > kTransferPart * seconds) all = false;
      if (worker.memory_bytes < job.memory_bytes) all = false;
      if (job.spec.prove_class && worker.environment_key != workers.front().environment_key)
        all = false;
    }
    tile_cost_.push_back(relative / speed);
    open_to_all_.push_back(all);
  }
}

void Fairness::Granted(const Grant& grant) {
  const size_t job = static_cast<size_t>(world_.FindJob(grant.job) - world_.plan().jobs.data());
  leases_[grant.lease] = {job, static_cast<int64_t>(grant.tiles.size()), 0};
  for (auto& [names, contest] : contests_) contest.leases.push_back(grant.lease);
}

void Fairness::Cut() {
  for (auto& [names, contest] : contests_) over_.push_back(std::move(contest));
  contests_.clear();
}

std::vector<std::pair<Fairness::Party, Fairness::Party>> Fairness::Competing() const {
  std::vector<Party> jobs;
  std::map<std::string, Party> tenants;
  std::set<std::string> set_apart;
  const Scheduler& scheduler = world_.current()->scheduler();
  for (size_t j = 0; j < world_.plan().jobs.size(); ++j) {
    const JobSpec& spec = world_.plan().jobs[j].spec;
    if (!world_.store().Knows(spec.name) || world_.store().Ended(spec.name)) continue;
    const std::optional<JobView> view = scheduler.ViewJob(spec.name);
    if (!view.has_value() || view->paused) continue;
    const int64_t ready = spec.tile_count - view->tiles_done - view->tiles_leased -
                          static_cast<int64_t>(view->failed_tiles.size() + view->holes.size());
    if (ready <= 0) continue;
    // A job that only some may compute, or is at its end, makes its tenant incomparable as well.
    if (!open_to_all_[j] || apart_.contains(spec.name) ||
        ready < kPlenty * static_cast<int64_t>(world_.plan().workers.size())) {
      set_apart.insert(spec.tenant);
      continue;
    }
    jobs.push_back({spec.name, std::ldexp(1.0, view->priority), {j}});
    Party& tenant = tenants[spec.tenant];
    tenant.name = spec.tenant;
    tenant.weight = world_.ShareOf(spec.tenant);
    tenant.jobs.insert(j);
  }
  std::vector<std::pair<Party, Party>> pairs;
  for (size_t a = 0; a < jobs.size(); ++a) {
    for (size_t b = a + 1; b < jobs.size(); ++b) {
      const size_t one = *jobs[a].jobs.begin(), other = *jobs[b].jobs.begin();
      if (world_.plan().jobs[one].spec.tenant == world_.plan().jobs[other].spec.tenant)
        pairs.push_back({jobs[a], jobs[b]});
    }
  }
  for (auto a = tenants.begin(); a != tenants.end(); ++a) {
    for (auto b = std::next(a); b != tenants.end(); ++b) {
      if (!set_apart.contains(a->first) && !set_apart.contains(b->first))
        pairs.push_back({a->second, b->second});
    }
  }
  return pairs;
}

void Fairness::Look() {
  if (stopped_) return;
  std::map<std::pair<std::string, std::string>, Contest> go_on;
  for (auto& [one, other] : Competing()) {
    const std::pair names{one.name, other.name};
    const auto before = contests_.find(names);
    Contest& contest = go_on[names];
    if (before != contests_.end() && before->second.one.jobs == one.jobs &&
        before->second.other.jobs == other.jobs) {
      contest = std::move(before->second);
      contests_.erase(before);
    } else {
      contest = {one, other, {}};
    }
  }
  Cut();
  contests_ = std::move(go_on);
}

Fairness::Service Fairness::Of(const Party& party, const Contest& contest) const {
  Service service;
  for (size_t job : party.jobs)
    service.largest = std::max(service.largest, tile_cost_[job] / party.weight);
  for (const LeaseKey& key : contest.leases) {
    const Lease& lease = leases_.at(key);
    if (!party.jobs.contains(lease.job)) continue;
    const double tile = tile_cost_[lease.job] / party.weight;
    service.received += static_cast<double>(lease.merged) * tile;
    service.largest = std::max(service.largest, static_cast<double>(lease.tiles) * tile);
  }
  return service;
}

std::string Fairness::Judge() {
  Cut();
  std::string trouble;
  for (const Contest& contest : over_) {
    const Service one = Of(contest.one, contest), other = Of(contest.other, contest);
    const bool first = one.received > other.received;
    const Service& more = first ? one : other;
    const Service& less = first ? other : one;
    const double slack = kFairLeases * (one.largest + other.largest);
    judged_ += more.received > 2 * slack;
    const double beyond = (more.received - kFairFactor * less.received) / slack;
    if (beyond > 1 && trouble.empty()) {
      trouble = absl::StrCat("unfair: ", first ? contest.one.name : contest.other.name,
                             " received ", more.received, " reference seconds by its share, ",
                             first ? contest.other.name : contest.one.name, " ", less.received,
                             ", in leases of ", one.largest, " and ", other.largest, " at most");
    }
    worst_ = std::max(worst_, beyond);
  }
  return trouble;
}

}  // namespace tilewright::simulation
