// Whether those who compete are served by their shares, judged by what they were granted and what
// of it was merged. Not thread-safe.

#ifndef TILEWRIGHT_TESTS_SIMULATION_FAIRNESS_H_
#define TILEWRIGHT_TESTS_SIMULATION_FAIRNESS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/schedule/decisions.h"
#include "coordinator/schedule/types.h"

namespace tilewright::simulation {

class World;

// Two jobs of one tenant, or two tenants, compete for as long as both have plenty of ready tiles
// that every worker may compute, and nobody touches a weight. Over each such time what they
// received, in reference seconds by share, may differ by kFairFactor and by kFairLeases of their
// largest leases: service comes in leases, and one that nobody could take for a while catches up.
inline constexpr double kFairFactor = 1.5;
inline constexpr double kFairLeases = 8;

class Fairness {
 public:
  explicit Fairness(World& world);

  // The present coordinator granted this; Look follows when all grants of an event are told.
  void Granted(const Grant& grant);
  void Look();
  // A tile of the lease was merged.
  void Merged(LeaseKey lease) { leases_[lease].merged++; }
  // Something else than service changes who is next: everybody begins anew.
  void Cut();
  // Not every worker may take its tiles from now on.
  void SetApart(const std::string& job) { apart_.insert(job); }
  // A device changed its speed: what a tile costs is not known from here any more.
  void Stop() {
    Cut();
    stopped_ = true;
  }

  // The worst case at the end of a run: what lay between the two beyond the factor, as a part of
  // what may; at most 1 if all was fair. 0 if nobody ever competed.
  double worst() const { return worst_; }
  // Times of competition in which the factor alone was less than twice what both had.
  int64_t judged() const { return judged_; }
  // Judges; empty if all was fair, else a sentence.
  std::string Judge();

 private:
  struct Lease {
    size_t job = 0;
    int64_t tiles = 0, merged = 0;
  };
  // A tenant or a job.
  struct Party {
    std::string name;
    double weight = 1;
    std::set<size_t> jobs;
  };
  struct Contest {
    Party one, other;
    std::vector<LeaseKey> leases;
  };
  // The party received so many reference seconds by weight, in leases of at most `largest`.
  struct Service {
    double received = 0, largest = 0;
  };
  Service Of(const Party& party, const Contest& contest) const;
  std::vector<std::pair<Party, Party>> Competing() const;

  World& world_;
  std::vector<double> tile_cost_;  // reference seconds by job
  std::vector<bool> open_to_all_;  // by job
  std::set<std::string> apart_;
  std::map<LeaseKey, Lease> leases_;
  std::map<std::pair<std::string, std::string>, Contest> contests_;  // that go on, by names
  std::vector<Contest> over_;
  bool stopped_ = false;
  double worst_ = 0;
  int64_t judged_ = 0;
};

}  // namespace tilewright::simulation

#endif  // TILEWRIGHT_TESTS_SIMULATION_FAIRNESS_H_
