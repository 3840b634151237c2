// What must be true of a run, watched from outside the core: by what workers really did and were
// really told. The first trouble found is kept. Not thread-safe.

#ifndef TILEWRIGHT_TESTS_SIMULATION_CHECKS_H_
#define TILEWRIGHT_TESTS_SIMULATION_CHECKS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "coordinator/schedule/decisions.h"
#include "coordinator/schedule/types.h"
#include "proto/base/instant.h"

namespace tilewright::simulation {

// What a worker holds, or will hold at most.
struct Credit {
  int64_t tiles = 0;
  int64_t bytes = 0;  // as a level, 0: not bounded
};

class Checks {
 public:
  explicit Checks(const SchedulerOptions& options) : options_(options) {}

  // Empty while all is well.
  const std::string& trouble() const { return trouble_; }
  void Trouble(std::string text) {
    if (trouble_.empty()) trouble_ = std::move(text);
  }

  // ---- What workers did: only this may be held against them.

  // The incarnation takes orders from a coordinator of this epoch.
  void Serves(const std::string& incarnation, uint64_t epoch);
  // A worker took a lease on and has so much to compute now; its coordinator knew of `level`.
  void GrantTaken(const std::string& incarnation, LeaseKey lease, Credit held, Credit level);
  void Fails(const std::string& worker, const std::string& job, int64_t tile,
             TileFailureCause cause);
  void GaveUp(const std::string& worker, const Grant& grant);
  void Stalls(const std::string& worker, const Grant& grant);
  void ProcessDied(const std::string& worker, const Grant& grant);
  // A result that is to be refused, or was damaged. They are counted.
  void BadResult(const std::string& worker, const std::string& job, int64_t tile);

  int64_t bad_results() const { return bad_results_; }

  // ---- What the core said.

  // Of poison and blocklists: there must have been as many failures.
  void Noticed(const Notice& notice);

 private:
  void Charge(const std::string& worker, const std::string& job, int64_t tile);

  const SchedulerOptions options_;
  std::string trouble_;
  int64_t bad_results_ = 0;
  std::map<std::string, uint64_t> served_;                        // incarnation -> highest epoch
  std::map<std::pair<std::string, int64_t>, int> tile_failures_;  // (job, tile)
  std::map<std::pair<std::string, std::string>, int> worker_failures_;  // (worker, job)
};

}  // namespace tilewright::simulation

#endif  // TILEWRIGHT_TESTS_SIMULATION_CHECKS_H_
