// What survives a coordinator: the records, the epoch, the canvases. It takes records only in an
// order that can be true and checks what each claims. Not thread-safe.

#ifndef TILEWRIGHT_TESTS_SIMULATION_STORE_H_
#define TILEWRIGHT_TESTS_SIMULATION_STORE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "coordinator/schedule/decisions.h"
#include "coordinator/schedule/events.h"
#include "coordinator/schedule/snapshot.h"
#include "tests/simulation/checks.h"

namespace tilewright::simulation {

class Store {
 public:
  explicit Store(Checks& checks) : checks_(checks) {}

  // A new coordinator begins; an older one cannot persist any more.
  uint64_t RaiseEpoch() { return ++epoch_; }
  // `result`: what the coordinator has in hand, null if nothing. False: another coordinator has
  // taken over.
  bool Persist(uint64_t epoch, const Record& record, const ResultArrived* result);
  // What was merged is gone: every job that has not ended begins anew with the next generation.
  void LoseCanvases();

  const Snapshot& snapshot() const { return snapshot_; }
  bool Knows(const std::string& job) const { return jobs_.contains(job); }
  bool Ended(const std::string& job) const;
  bool Succeeded(const std::string& job) const;
  bool Decided(const std::string& job) const;
  bool Paused(const std::string& job) const;
  // The class that its promise was persisted with; empty before.
  const std::string& ClassOf(const std::string& job) const;
  // Neither merged nor holes.
  int64_t OpenTiles(const std::string& job) const;
  // Neither merged, nor holes, nor waiting for a decision.
  int64_t TilesToCompute(const std::string& job) const;
  bool Merged(const std::string& job, int64_t tile) const;
  bool LeftOut(const std::string& job, int64_t tile) const;
  // Of a known job.
  uint64_t GenerationOf(const std::string& job) const { return jobs_.at(job).generation; }
  int64_t jobs_ended() const { return jobs_ended_; }
  int64_t tiles_merged() const { return tiles_merged_; }  // ever

  // Folding all records is dear for a million tiles: a run without restarts may go without.
  void set_fold(bool fold) { fold_ = fold; }

 private:
  enum class Cell : uint8_t { kEmpty, kMerged, kHole };
  struct StoredJob {
    JobSpec spec;
    uint64_t generation = 1;
    std::vector<Cell> canvas;  // by tile
    int64_t filled = 0;        // cells that are not empty
    int64_t parked = 0;        // tiles that wait for a decision
    bool decided = false;      // its promise
    std::string numeric_class = {};
    bool paused = false;
    bool ended = false;
    bool succeeded = false;
  };
  void Enter(const JobSpec& spec);
  // With all stages of its job, unless it succeeded.
  void End(StoredJob& ended);
  void Merge(StoredJob& job, const Record& record, const ResultArrived* result);
  // What an earlier job had merged.
  static void Continue(StoredJob& job);

  Checks& checks_;
  uint64_t epoch_ = 0;
  bool fold_ = true;
  Snapshot snapshot_;
  std::map<std::string, StoredJob> jobs_;
  int64_t jobs_ended_ = 0;
  int64_t tiles_merged_ = 0;
};

}  // namespace tilewright::simulation

#endif  // TILEWRIGHT_TESTS_SIMULATION_STORE_H_
