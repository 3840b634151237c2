// What is known of a model at one shape, across jobs: memory need, numeric classes, speeds. Value
// types; pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_STAGE_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_STAGE_H_

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/node_hash_map.h"
#include "absl/time/time.h"
#include "coordinator/schedule/speed_order.h"
#include "coordinator/schedule/tile_seconds.h"
#include "coordinator/schedule/types.h"

namespace tilewright::schedule {

// Tiles with equal keys cost the same on the same worker. Bytes and FLOPs of a tile stand for its
// shape, so that a job on another image of the same shape profits from what was measured.
struct StageKey {
  std::string model_digest;
  std::string dtype;
  int executed_batch = 1;
  int64_t input_bytes = 0;
  double flops_per_tile = 0;
  friend auto operator<=>(const StageKey&, const StageKey&) = default;
};

inline StageKey StageKeyOf(const JobSpec& job) {
  return {job.model_digest, job.dtype, job.executed_batch, job.input_bytes, job.flops_per_tile};
}

inline constexpr int kCanaryDeathsMax = 3;

// A worker at a stage.
struct StageWorker {
  TileSeconds seconds;
  double tiles_per_second = 0;          // its part of Stage::speeds; 0 while it is not connected
  int speed_class = SpeedOrder::kNone;  // its place in Stage::speeds
  std::optional<absl::Duration> switch_seconds;  // from the head of its queue to Started, smoothed,
                                                 // when it did not have the model ready
  double relative_speed = 0;                     // its part of Stage::relative_speed_sum
  std::string numeric_class;   // of this incarnation, by its own canary; empty: not measured
  std::string canary_failure;  // why its canary failed; empty: it did not
  double canary_seconds = 0;
  int canary_deaths = 0;  // lives that ended without an answer since the last one; with
                          // kCanaryDeathsMax it is as good as failed
};

struct Stage {
  StageKey key;
  int64_t memory_floor = 0;                            // bytes; 0: unknown. Invariant: never falls.
  absl::node_hash_map<uint64_t, StageWorker> workers;  // by id
  absl::flat_hash_map<std::string, std::string> class_of_key;  // environment key -> class
  absl::flat_hash_set<std::string>
      conflicting_keys;                     // two workers with the key gave different bits
  SpeedOrder speeds;                        // Invariant: the connected measured workers.
  double relative_speed_sum = 0;            // of the same workers, as devices
  std::optional<absl::Duration> tile_work;  // reference seconds of a tile, by the last such workers
  std::optional<absl::Duration> switch_seconds;  // of any worker, smoothed
  // FLOPs by the probes of workers that a tile was seen to take, smoothed; 0: not known.
  double probe_work = 0;
  int active_jobs =
      0;  // Invariant: active jobs that point here; only stages with none are forgotten.
  uint64_t last_used = 0;  // number of the last job
};

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_STAGE_H_
