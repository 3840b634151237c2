// Two stages by turns on one executor that must load anew before every call: whatever is compiled,
// kept or overwritten for one of them must never show in the other.

#ifndef TILEWRIGHT_TESTS_WORKER_ENGINE_INTERLEAVE_H_
#define TILEWRIGHT_TESTS_WORKER_ENGINE_INTERLEAVE_H_

#include <functional>
#include <memory>

#include "worker/engine/engine.h"

namespace tilewright {

using EngineMaker = std::function<std::unique_ptr<Engine>()>;

// What the comparison of A,B,A,B,… with A,A,… and B,B,… found.
struct Interleaving {
  bool same_bits = false;      // every call as in the run of its stage alone
  bool stages_differ = false;  // A and B give different bits, else nothing could be noticed
  int calls = 0;
  int loads = 0;  // in the interleaved run
};
// Both models have one input and one output of 3 channels, scale 1 and the engine that `make`
// makes. Each runs at two shapes, so a stage can take the place of another one of its shape, its
// model or both. With `evict` the executor keeps one stage at a time. Fails the test if a call
// fails.
Interleaving Interleave(const EngineMaker& make, const LocalModel& a, const LocalModel& b,
                        bool evict);

// The control: an engine that keeps what it compiled by shape alone, as systems do that lose track
// of their stages.
std::unique_ptr<Engine> KeyedByShapeAlone(std::unique_ptr<Engine> inner);

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_WORKER_ENGINE_INTERLEAVE_H_
