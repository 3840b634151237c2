// The memory of all jobs of a coordinator: who gets how much of it, and what follows for leases and
// merging. Each running job has its floor, with which it finishes one tile at a time, and an equal
// share of the rest; a job whose floor does not fit beside those before it waits. So no job ever
// waits for memory that another one holds. Not thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_MERGE_MEMORY_BUDGET_H_
#define TILEWRIGHT_COORDINATOR_MERGE_MEMORY_BUDGET_H_

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace tilewright {

// What a job needs, in bytes.
struct JobMemory {
  int64_t input = 0;  // of one tile, and of the rows that a sequential reader keeps
  int64_t tile = 0;   // the largest contribution: a lease reserves as much for each of its tiles
  int64_t block = 0;  // of the output

  int64_t floor() const { return input + 5 * tile + 4 * block; }
};

// What a job may do as things stand.
struct MemoryLimits {
  // Bytes of results and unfinished blocks in memory; above it they go to the scratch. 0: the job
  // waits for room beside others.
  int64_t held_max = 0;
  // Tiles under lease at once; 0 while the job waits.
  int64_t leased_max = 0;
  // JobSpec::tiles_ahead: 0 is unbounded.
  int64_t tiles_ahead = 0;
  friend bool operator==(const MemoryLimits&, const MemoryLimits&) = default;
};

class MemoryBudget {
 public:
  explicit MemoryBudget(int64_t bytes) : bytes_(bytes) {}

  // RESOURCE_EXHAUSTED, naming the bytes that would do, if the job does not fit alone.
  absl::Status Check(const JobMemory& need) const;

  // A job comes, after those that are there; it passed Check.
  void Add(const std::string& job, const JobMemory& need);
  void Remove(const std::string& job);
  // Bytes that the job holds in memory now: results that wait for merging, and what merging holds.
  void SetHeld(const std::string& job, int64_t bytes);

  // False: the job waits for room beside others.
  bool Runs(const std::string& job) const { return jobs_.at(job).runs; }
  // Precondition: the job is there.
  MemoryLimits LimitsOf(const std::string& job) const;
  bool Has(const std::string& job) const { return jobs_.contains(job); }
  // In the order of their coming.
  const std::vector<std::string>& jobs() const { return order_; }
  int64_t held() const;

 private:
  struct Job {
    JobMemory need;
    int64_t held = 0;
    bool runs = false;
    bool tight = false;  // above the first threshold, and not yet far enough below it again
  };

  // Those that fit run, the first of those that do not and all after it wait.
  void Admit();
  // What a running job may use for results.
  int64_t RoomOf(const Job& job) const;

  const int64_t bytes_;
  std::map<std::string, Job> jobs_;
  std::vector<std::string> order_;
  int64_t floors_ = 0;   // of those that run
  int64_t running_ = 0;  // Invariant: jobs that run
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_MERGE_MEMORY_BUDGET_H_
