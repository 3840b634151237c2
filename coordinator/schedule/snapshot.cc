#include "coordinator/schedule/snapshot.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "coordinator/schedule/continued.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

template <typename... Parts>
absl::Status DoesNotFollow(const Parts&... parts) {
  return absl::FailedPreconditionError(absl::StrCat(parts...));
}

// The job whose stage it is.
std::string JobOf(const JobSpec& spec) {
  return spec.job_of_stage.empty() ? spec.name : spec.job_of_stage;
}

void Enter(const JobSpec& spec, Snapshot& snapshot) {
  RestoredJob& submitted = snapshot.jobs.emplace_back();
  submitted.spec = spec;
  submitted.priority = spec.priority;
  if (spec.continued == nullptr) return;
  const ContinuedTiles& from = *spec.continued;
  submitted.accepted = from.accepted;
  submitted.continued = static_cast<int64_t>(from.accepted.size());
  submitted.holes = from.holes;
  submitted.promise = from.promise;
  submitted.numeric_class = from.numeric_class;
  submitted.classes = from.classes;
}

absl::Status ApplyToTile(const Record& record, RestoredJob& job) {
  const int64_t tile = record.number;
  if (tile < 0 || tile >= job.spec.tile_count) {
    return DoesNotFollow(record.job, " has ", job.spec.tile_count, " tiles, none is number ", tile,
                         ".");
  }
  if (job.accepted.contains(tile) || job.holes.contains(tile)) {
    return DoesNotFollow("Tile ", tile, " of ", record.job, " was ",
                         job.holes.contains(tile) ? "left out" : "accepted", " before.");
  }
  switch (record.kind) {
    case Record::Kind::kTileAccepted:
      job.failed.erase(tile);
      job.accepted.insert(job.accepted.end(), tile);
      job.tiles_by_worker[record.worker]++;
      if (!job.classes.contains(record.value)) job.classes.insert(record.value);
      return absl::OkStatus();
    case Record::Kind::kTileFailed:
      if (!job.failed.insert(tile).second)
        return DoesNotFollow("Tile ", tile, " of ", record.job, " had failed before.");
      return absl::OkStatus();
    case Record::Kind::kTileRetried:
      if (job.failed.erase(tile) == 0)
        return DoesNotFollow("Tile ", tile, " of ", record.job, " had not failed.");
      return absl::OkStatus();
    default:  // kTileHole
      job.failed.erase(tile);
      job.holes.insert(tile);
      return absl::OkStatus();
  }
}

absl::Status ApplyToJob(const Record& record, RestoredJob& job) {
  switch (record.kind) {
    case Record::Kind::kJobClass:
      job.promise = record.promise;
      job.numeric_class = record.value;
      return absl::OkStatus();
    case Record::Kind::kJobPaused:
    case Record::Kind::kJobResumed: {
      const bool paused = record.kind == Record::Kind::kJobPaused;
      if (job.paused == paused)
        return DoesNotFollow(record.job, paused ? " was paused before." : " was not paused.");
      job.paused = paused;
      return absl::OkStatus();
    }
    case Record::Kind::kJobPriority:
      if (record.number < kPriorityMin || record.number > kPriorityMax)
        return DoesNotFollow(record.number, " is no priority.");
      job.priority = static_cast<int>(record.number);
      return absl::OkStatus();
    default:
      return ApplyToTile(record, job);
  }
}

}  // namespace

absl::Status Apply(const Record& record, Snapshot& snapshot) {
  if (record.kind == Record::Kind::kWorkerJoined) {
    if (snapshot.workers.insert(record.worker).second) return absl::OkStatus();
    return DoesNotFollow("Worker ", record.worker, " had joined before.");
  }
  if (record.kind == Record::Kind::kWorkerGone) {
    if (snapshot.workers.erase(record.worker) > 0) return absl::OkStatus();
    return DoesNotFollow("Worker ", record.worker, " was not there.");
  }
  const auto job = std::find_if(snapshot.jobs.begin(), snapshot.jobs.end(),
                                [&](const RestoredJob& j) { return j.spec.name == record.job; });
  if (record.kind == Record::Kind::kJobSubmitted) {
    if (record.spec == nullptr || record.spec->name != record.job || record.spec->tile_count < 0)
      return DoesNotFollow("A submission of ", record.job, " does not say what it asks for.");
    if (job != snapshot.jobs.end())
      return DoesNotFollow(record.job, " was submitted before and has not ended.");
    TW_RETURN_IF_ERROR(CheckContinued(*record.spec));
    Enter(*record.spec, snapshot);
    if (record.later_stages == nullptr) return absl::OkStatus();
    for (const JobSpec& stage : *record.later_stages) Enter(stage, snapshot);
    return absl::OkStatus();
  }
  if (job == snapshot.jobs.end()) return DoesNotFollow("There is no job ", record.job, ".");
  if (record.kind == Record::Kind::kJobEnded) {
    if (record.value == "succeeded") {
      snapshot.jobs.erase(job);
    } else {
      std::erase_if(snapshot.jobs, [name = JobOf(job->spec)](const RestoredJob& stage) {
        return JobOf(stage.spec) == name;
      });
    }
    return absl::OkStatus();
  }
  TW_RETURN_IF_ERROR(ApplyToJob(record, *job));
  job->age = std::max(job->age, record.age);
  return absl::OkStatus();
}

}  // namespace tilewright
