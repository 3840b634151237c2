// Turns leased tiles into checked results: conversions, engine, checks. A small core
// (core_executor.h) plus decorators (checking_executor.h, timing_executor.h, logging_executor.h),
// composed visibly in worker/main.cc. An executor belongs to one thread.

#ifndef TILEWRIGHT_WORKER_EXECUTOR_EXECUTOR_H_
#define TILEWRIGHT_WORKER_EXECUTOR_EXECUTOR_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/geometry/rect.h"
#include "tilewright/v1/tile.pb.h"
#include "tilewright/v1/worker_service.pb.h"
#include "worker/engine/engine.h"
#include "worker/engine/in_flight.h"
#include "worker/executor/tile_samples.h"

namespace tilewright {

// One tile to compute. Samples are as StageSpec says.
struct TileTask {
  uint64_t index = 0;
  Rect input;         // padded stage-input pixels
  Rect contribution;  // output pixels to return
  std::vector<std::byte> samples;
  std::string lease;               // for logs, e.g. "3/17"; may be empty
  ResultMemory* memory = nullptr;  // for the result's samples; null: this process's own

  TileSamples TakeMemory(size_t bytes) const {
    return memory ? memory->Take(bytes) : TileSamples(std::vector<std::byte>(bytes));
  }
};

// What came of one tile: samples of the contribution in the stage's output type, or why not (with a
// cause, EngineError).
struct TileOutcome {
  uint64_t index = 0;
  absl::StatusOr<TileSamples> samples;
  v1::TileCost cost;
  // False: computed in a way that may give other bits than this worker's numeric class stands for.
  bool of_class = true;
};

class Executor {
 public:
  virtual ~Executor() = default;
  using Outcomes = std::vector<TileOutcome>;

  // Makes the stage ready (load, compile). Cheap if it is. `progress` as in Engine::Load. What is
  // in flight is of the same stage.
  virtual absl::Status Prepare(const v1::StageSpec& stage, const LocalModel& model,
                               const std::function<void(std::string)>& progress) = 0;
  // Begins up to stage.batch tiles of a prepared stage; what lands is one outcome per task, in
  // order. `stage` stays as it is until then. Whether one that overlaps is followed by the next
  // before it lands changes no outcome.
  virtual InFlight<Outcomes> Begin(const v1::StageSpec& stage, std::vector<TileTask> tasks) = 0;
  // Computes them.
  Outcomes Execute(const v1::StageSpec& stage, std::vector<TileTask> tasks) {
    return Begin(stage, std::move(tasks)).Land();
  }
  // Digest (hexadecimal) of the raw output on seeded noise, and the seconds of one batch once
  // everything is warm. The stage's batch is executed twice with its tiles in other slots; the
  // digest covers both, tiles in one order, so workers agree only if each gives the same bits in
  // every slot or depends on the slot in the same way. Nothing is in flight.
  struct CanaryOutcome {
    std::string digest;
    double seconds = 0;
    std::vector<float> excerpt = {};  // of the first execution; which places: canary.h
  };
  virtual absl::StatusOr<CanaryOutcome> RunCanary(const v1::StageSpec& stage, uint64_t seed) = 0;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_EXECUTOR_EXECUTOR_H_
