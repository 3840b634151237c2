// One running job as the dispatcher sees it: where input tiles come from and where results go.
// Implemented by JobRun, and by fakes in tests and benchmarks. Each method says who calls it.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_JOB_HOST_H_
#define TILEWRIGHT_COORDINATOR_JOBS_JOB_HOST_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/merge/memory_budget.h"
#include "coordinator/schedule/decisions.h"
#include "coordinator/schedule/scheduler.h"
#include "coordinator/schedule/types.h"
#include "proto/wire/tile_frames.h"
#include "tilewright/v1/worker_service.pb.h"

namespace tilewright {

// Reason of the status that ends all jobs when the coordinator shuts down.
inline constexpr absl::string_view kShuttingDown = "SHUTTING_DOWN";

class JobHost {
 public:
  virtual ~JobHost() = default;

  // What workers must know of the stage. Immutable.
  virtual const v1::StageSpec& stage() const = 0;

  // Name in the scheduler: of its job, or of the stage. Immutable.
  virtual std::string name() const { return stage().job(); }

  // The input of a tile, ready to be sent: header with byte count and checksum, and payload. May
  // wait for a disk. Called from several reader threads at once. CANCELLED: the tile was merged or
  // left out meanwhile, nobody wants it. Any other error fails the job with its sentence.
  virtual absl::StatusOr<OutgoingTile> ReadTile(int64_t tile, LeaseKey lease) = 0;

  // Whether the result's tensor and byte count are what the plan asks of the tile. Quick; called
  // from any thread. The error's reason goes into the verdict.
  virtual absl::Status CheckResult(const v1::TileHeader& header, int64_t payload_bytes) const = 0;

  // What the job needs of the coordinator's memory. Immutable.
  virtual JobMemory memory() const = 0;

  // Before Merge or MergeHole of that tile, called like them: whether all that was to be written
  // before it has found its place. While IsNoRoom is the answer (a disk is full) the tile waits;
  // nothing is lost. Any other error fails the job.
  virtual absl::Status MakeRoom(int64_t tile) = 0;
  // Takes an accepted tile. Called from one thread at a time, never after Finish or Abandon. An
  // error fails the job.
  virtual absl::Status Merge(int64_t tile, std::vector<std::byte> samples) = 0;
  // Leaves a tile out for good; as Merge, and in order with it.
  virtual absl::Status MergeHole(int64_t tile) = 0;
  // From the next Merge on it keeps no more than that in memory, if it can do with so little. As
  // Merge.
  virtual void LimitHeld(int64_t bytes_max) = 0;
  // Bytes of tiles and unfinished blocks in memory now. As Merge.
  virtual int64_t held_bytes() const = 0;
  // After the last tile: publishes the output; may take as long as an export. While IsNoRoom is its
  // error, it is called again later, or Abandon is.
  virtual absl::Status Finish() = 0;
  // Instead of Finish, or after it failed, because of `why`: removes what was created, or leaves of
  // it what the request asks for, or what another job may continue; may take as long as Finish.
  virtual void Abandon(const absl::Status& why) = 0;

  // Reports. Called under the dispatcher's lock: they must be quick and must not call it.
  virtual void OnStarted() = 0;
  virtual void OnMerging() = 0;
  virtual void OnNotice(const Notice& notice) = 0;
  // What an accepted tile cost its worker, or a failed attempt until then.
  virtual void OnCost(const std::string& worker, int64_t tile, const v1::TileCost& cost) = 0;
  // The tile is left out; MergeHole follows.
  virtual void OnHole(int64_t tile) = 0;
  // The job stands still because a disk is full, in words; empty: it goes on.
  virtual void OnWaitsForRoom(const std::string& text) = 0;
  // The last call, after Finish or Abandon. `last` is how the job stood at the end.
  virtual void OnEnded(const absl::Status& status, const JobView& last) = 0;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_JOB_HOST_H_
