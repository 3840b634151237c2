#include "coordinator/merge/memory_budget.h"

#include <algorithm>
#include <bit>

#include "absl/strings/str_cat.h"

namespace tilewright {
namespace {

// Above the first share of its room a job begins only tiles near its lowest open one, until it is
// below the second.
constexpr double kTightAbove = 0.75;
constexpr double kTightBelow = 0.625;

}  // namespace

absl::Status MemoryBudget::Check(const JobMemory& need) const {
  if (need.floor() <= bytes_) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the job needs at least ", need.floor(),
                   " bytes of memory for its tiles, the coordinator has ", bytes_,
                   " for all jobs: use smaller tiles, or a larger --memory"));
}

void MemoryBudget::Add(const std::string& job, const JobMemory& need) {
  jobs_[job].need = need;
  order_.push_back(job);
  Admit();
}

void MemoryBudget::Remove(const std::string& job) {
  const auto found = jobs_.find(job);
  if (found == jobs_.end()) return;
  if (found->second.runs) {
    --running_;
    floors_ -= found->second.need.floor();
  }
  jobs_.erase(found);
  std::erase(order_, job);
  Admit();
}

void MemoryBudget::Admit() {
  for (const std::string& name : order_) {
    Job& job = jobs_.at(name);
    if (job.runs) continue;
    if (floors_ + job.need.floor() > bytes_) return;
    job.runs = true;
    ++running_;
    floors_ += job.need.floor();
  }
}

void MemoryBudget::SetHeld(const std::string& name, int64_t bytes) {
  const auto found = jobs_.find(name);
  if (found == jobs_.end()) return;
  Job& job = found->second;
  job.held = bytes;
  const auto room = static_cast<double>(RoomOf(job));
  const auto held = static_cast<double>(bytes);
  job.tight = held > room * (job.tight ? kTightBelow : kTightAbove);
}

int64_t MemoryBudget::RoomOf(const Job& job) const {
  if (!job.runs) return 0;
  return job.need.floor() - job.need.input + (bytes_ - floors_) / running_;
}

MemoryLimits MemoryBudget::LimitsOf(const std::string& name) const {
  const Job& job = jobs_.at(name);
  if (!job.runs) return {};
  const int64_t room = RoomOf(job);
  // There is always room for the result of one more tile.
  MemoryLimits limits{.held_max = room - job.need.tile};
  const int64_t tiles = (room - job.held) / std::max<int64_t>(job.need.tile, 1);
  // A power of two, so that it seldom changes.
  limits.leased_max =
      static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(std::max<int64_t>(tiles, 1))));
  limits.tiles_ahead = job.tight ? limits.leased_max : 0;
  return limits;
}

int64_t MemoryBudget::held() const {
  int64_t held = 0;
  for (const auto& [name, job] : jobs_) held += job.held;
  return held;
}

}  // namespace tilewright
