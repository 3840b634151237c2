// What was made ready for stages and is kept while memory allows, the most recently used first.
// Belongs to one thread.

#ifndef TILEWRIGHT_WORKER_EXECUTOR_STAGE_CACHE_H_
#define TILEWRIGHT_WORKER_EXECUTOR_STAGE_CACHE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <utility>

#include "tilewright/v1/model_service.pb.h"
#include "worker/engine/engine.h"

namespace tilewright {

// `Held` computes one stage. It tells StateBytes(), what it holds between runs, and
// MemoryEstimate(), what one run needs beside that. One run takes place at a time, so the cache
// holds the sum of the former and the largest of the latter.
template <typename Held>
class StageCache {
 public:
  // A bound for stages that hold next to nothing.
  static constexpr size_t kStagesMax = 64;

  explicit StageCache(uint64_t bytes_max) : bytes_max_(bytes_max) {}

  // What is kept for exactly that key, from now on the most recently used. Null if nothing is.
  Held* Find(const StageKey& key) {
    const auto it = std::find_if(kept_.begin(), kept_.end(),
                                 [&key](const Kept& kept) { return kept.key == key; });
    if (it == kept_.end()) return nullptr;
    kept_.splice(kept_.begin(), kept_, it);
    return it->held.get();
  }

  // The manifest of a model of which a stage is kept; null without one.
  const v1::ModelManifest* ManifestOf(const std::string& model_digest) const {
    const auto it = std::find_if(kept_.begin(), kept_.end(), [&model_digest](const Kept& kept) {
      return kept.key.model_digest == model_digest;
    });
    return it == kept_.end() ? nullptr : &it->manifest;
  }

  // Keeps it as the most recently used, in the place of what was kept for its key; then the least
  // recently used go until the rest fits. The new one always stays.
  void Insert(const StageKey& key, const v1::ModelManifest& manifest, std::unique_ptr<Held> held) {
    kept_.remove_if([&key](const Kept& kept) { return kept.key == key; });
    kept_.push_front({key, manifest, std::move(held)});
    while (kept_.size() > 1 && (kept_.size() > kStagesMax || Bytes() > bytes_max_)) {
      kept_.pop_back();
    }
  }

  // Gives back all but what is kept for that key.
  void KeepOnly(const StageKey& key) {
    kept_.remove_if([&key](const Kept& kept) { return kept.key != key; });
  }

  uint64_t Bytes() const {
    uint64_t state = 0;
    uint64_t run = 0;
    for (const Kept& kept : kept_) {
      state += kept.held->StateBytes();
      run = std::max(run, kept.held->MemoryEstimate());
    }
    return state + run;
  }
  size_t size() const { return kept_.size(); }

 private:
  struct Kept {
    StageKey key;  // differs from that of every other
    v1::ModelManifest manifest;
    std::unique_ptr<Held> held;  // never null
  };

  const uint64_t bytes_max_;
  std::list<Kept> kept_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_EXECUTOR_STAGE_CACHE_H_
