// An engine that fails on demand, around any other, for tests: memory, a lost device, a hang, wrong
// results. Belongs to one thread, like any engine.

#ifndef TILEWRIGHT_TESTS_WORKER_FAULTY_FAULTY_ENGINE_H_
#define TILEWRIGHT_TESTS_WORKER_FAULTY_FAULTY_ENGINE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/engine/engine.h"

namespace tilewright {

// What goes wrong and when. Words, separated by commas; K counts the engine's runs from 1, canaries
// and runs of sub-tiles among them:
//   oom:K      run K, and with oom:K+ every one from it on, runs out of memory
//   oom-every:K       every K-th allocation of 4 KiB or more inside the engine throws bad_alloc
//   oom-pixels:N      runs of more than N pixels run out of memory
//   lost:K, timeout:K the device is lost, or the driver ends the kernel, in run K
//   timeout-pixels:N  the driver ends the kernel in runs of more than N pixels
//   crash:K    the process aborts in run K
//   no-memory:K       memory runs out on another thread, which computes no tile, in run K
//   hang:K     run K never ends
//   hang-load:1       loading a stage never ends
//   slow:MS    every run takes so much longer
//   nan:K, shape:K, constant:K, stale:K   run K gives a NaN, a pixel column less, one value, or
//              what the run before it gave
//   memory:N   the device says that it has N bytes
//   other-bits:N      runs of less than N pixels differ in a bit
class EngineFaults {
 public:
  // INVALID_ARGUMENT naming the word that is not understood. Empty text: no fault.
  static absl::StatusOr<EngineFaults> Parse(absl::string_view text);

  // The number of a word; 0 if it was not given.
  uint64_t Of(const std::string& word) const;
  // Whether it was given as K+.
  bool Onwards(const std::string& word) const;

 private:
  struct When {
    uint64_t number = 0;
    bool onwards = false;
  };
  std::map<std::string, When> words_;
};

// `inner` with these faults. Runs are counted over all its stages, together with those of all other
// engines made by this function: by process.
std::unique_ptr<Engine> CreateFaultyEngine(const EngineFaults& faults,
                                           std::unique_ptr<Engine> inner);

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_WORKER_FAULTY_FAULTY_ENGINE_H_
