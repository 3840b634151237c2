// What is measured of a device while it works, on its way to the coordinator. Thread-safe: engines
// and executors add, the link looks.

#ifndef TILEWRIGHT_WORKER_ENGINE_MEASUREMENTS_H_
#define TILEWRIGHT_WORKER_ENGINE_MEASUREMENTS_H_

#include <atomic>
#include <cstdint>
#include <list>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "tilewright/v1/worker_service.pb.h"
#include "worker/engine/memory_model.h"

namespace tilewright {

class Measurements {
 public:
  // As many memory models are kept; beyond that the least recently added goes.
  static constexpr size_t kModelsMax = 64;
  // A speed that differs by less than this from the one told last is not told.
  static constexpr double kSpeedChange = 0.1;

  // What a model needs in a dtype.
  void AddMemory(const std::string& model_digest, const std::string& dtype,
                 const MemoryModel& memory) ABSL_LOCKS_EXCLUDED(mutex_);
  // FLOP/s that an engine reached in a batch of a model whose FLOPs are known. What is told is
  // smoothed over about eight batches.
  void AddSpeed(const std::string& engine, double flops) ABSL_LOCKS_EXCLUDED(mutex_);

  // Bytes that were free on the device a moment ago.
  void SetMemoryFree(uint64_t bytes) { memory_free_ = bytes; }
  // The latest of them; 0: none yet.
  uint64_t memory_free() const { return memory_free_; }

  // Writes what was measured over what stands in `capabilities`: memory models, the speeds of
  // engine offers, probe_flops if it is that of the engine. False, and nothing is written, if
  // nothing changed since the last call.
  bool TakeChanges(v1::Capabilities* capabilities) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Speed {
    double flops = 0;
    double told = 0;  // 0: never
  };

  std::atomic<uint64_t> memory_free_ = 0;
  absl::Mutex mutex_;
  std::list<v1::MemoryModel> models_ ABSL_GUARDED_BY(mutex_);  // the latest first
  bool models_changed_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, Speed> speeds_ ABSL_GUARDED_BY(mutex_);  // by engine
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_MEASUREMENTS_H_
