// The tiles of one stage on the wire: what is sent with an input, and what a result must be.
// Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_STAGE_TILES_H_
#define TILEWRIGHT_COORDINATOR_JOBS_STAGE_TILES_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/jobs/job_record.h"
#include "coordinator/jobs/resolve_job.h"
#include "coordinator/merge/tile_source.h"
#include "coordinator/schedule/types.h"
#include "proto/base/instant.h"
#include "proto/wire/tile_frames.h"
#include "tilewright/v1/worker_service.pb.h"

namespace tilewright {

class StageTiles {
 public:
  // `stage` names its job, and must outlive this. `record` is told, once, when inputs stay in
  // memory because the folder `scratch` has no room.
  StageTiles(const ResolvedStage& stage, std::shared_ptr<JobRecord> record, std::string scratch,
             std::function<Instant()> now);

  // As JobHost::ReadTile; the source's errors, saying which tile.
  absl::StatusOr<OutgoingTile> Read(TileSource& source, int64_t tile, LeaseKey lease) const;
  // As JobHost::CheckResult.
  absl::Status CheckResult(const v1::TileHeader& header, int64_t payload_bytes) const;

 private:
  const ResolvedStage& stage_;
  const std::shared_ptr<JobRecord> record_;
  const std::string scratch_;
  const std::function<Instant()> now_;
  mutable std::atomic<bool> told_of_inputs_ = false;  // that they are in memory
  v1::TileHeader input_header_;                       // what all input headers of the stage share
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_STAGE_TILES_H_
