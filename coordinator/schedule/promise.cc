#include "coordinator/schedule/promise.h"

#include <cassert>
#include <map>

#include "absl/strings/str_cat.h"

namespace tilewright::schedule {

Promise PresumedPromise(const std::set<std::string>& environment_keys) {
  return environment_keys.size() <= 1 ? Promise::kStrict : Promise::kTolerant;
}

std::string FastestClass(const std::vector<ClassSpeed>& workers) {
  assert(!workers.empty());
  std::map<std::string, double> sums;
  for (const ClassSpeed& worker : workers) sums[worker.numeric_class] += worker.tiles_per_second;
  auto best = sums.begin();
  for (auto it = sums.begin(); it != sums.end(); ++it) {
    if (it->second > best->second) best = it;
  }
  return best->first;
}

uint64_t CanarySeed(const std::string& model_digest, const std::string& dtype, int executed_batch) {
  // FNV-1a: absl::Hash differs from process to process.
  uint64_t hash = 14695981039346656037ULL;
  for (char c : absl::StrCat(model_digest, "/", dtype, "/", executed_batch)) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  return hash;
}

}  // namespace tilewright::schedule
