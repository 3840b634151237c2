#include "tests/simulation/store.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "coordinator/schedule/continued.h"

namespace tilewright::simulation {

bool Store::Persist(uint64_t epoch, const Record& record, const ResultArrived* result) {
  if (epoch < epoch_) return false;
  if (fold_) {
    if (absl::Status status = Apply(record, snapshot_); !status.ok())
      checks_.Trouble(absl::StrCat("a record does not follow: ", status.message()));
  }
  if (record.job.empty()) return true;
  if (record.kind == Record::Kind::kJobSubmitted) {
    Enter(*record.spec);
    if (record.later_stages != nullptr) {
      for (const JobSpec& stage : *record.later_stages) Enter(stage);
    }
    return true;
  }
  const auto found = jobs_.find(record.job);
  if (found == jobs_.end() || found->second.ended) {
    checks_.Trouble(absl::StrCat("a record of kind ", static_cast<int>(record.kind), " is of ",
                                 record.job, ", which does not run"));
    return true;
  }
  StoredJob& job = found->second;
  switch (record.kind) {
    case Record::Kind::kJobClass:
      job.decided = true;
      job.numeric_class = record.value;
      break;
    case Record::Kind::kJobPaused:
    case Record::Kind::kJobResumed:
      job.paused = record.kind == Record::Kind::kJobPaused;
      break;
    case Record::Kind::kTileFailed:
      job.parked++;
      break;
    case Record::Kind::kTileRetried:
      job.parked--;
      break;
    case Record::Kind::kTileAccepted:
      Merge(job, record, result);
      break;
    case Record::Kind::kTileHole: {
      Cell& cell = job.canvas.at(static_cast<size_t>(record.number));
      if (cell != Cell::kEmpty)
        checks_.Trouble(absl::StrCat("tile ", record.number, " of ", record.job,
                                     " became a hole twice or "
                                     "after it was merged"));
      cell = Cell::kHole;
      job.filled++;
      job.parked = std::max<int64_t>(0, job.parked - 1);
      break;
    }
    case Record::Kind::kJobEnded:
      job.succeeded = record.value == "succeeded";
      End(job);
      if (job.succeeded && job.filled != job.spec.tile_count) {
        checks_.Trouble(absl::StrCat(record.job, " succeeded with ", job.filled, " of ",
                                     job.spec.tile_count, " tiles"));
      }
      break;
    default:
      break;
  }
  return true;
}

void Store::Enter(const JobSpec& spec) {
  StoredJob& job = jobs_[spec.name];
  if (job.spec.tile_count > 0) checks_.Trouble(spec.name + " was submitted twice");
  job.spec = spec;
  job.generation = spec.generation;
  job.canvas.assign(static_cast<size_t>(spec.tile_count), Cell::kEmpty);
  if (spec.continued != nullptr) Continue(job);
}

void Store::End(StoredJob& ended) {
  ended.ended = true;
  jobs_ended_++;
  if (ended.succeeded) return;
  const auto job_of = [](const StoredJob& job) {
    return job.spec.job_of_stage.empty() ? job.spec.name : job.spec.job_of_stage;
  };
  for (auto& [name, stage] : jobs_) {
    if (stage.ended || job_of(stage) != job_of(ended)) continue;
    stage.ended = true;
    jobs_ended_++;
  }
}

void Store::Merge(StoredJob& job, const Record& record, const ResultArrived* result) {
  const std::string what = absl::StrCat("tile ", record.number, " of ", record.job);
  if (result == nullptr || result->job != record.job || result->tile != record.number ||
      result->worker != record.worker) {
    checks_.Trouble(absl::StrCat(what, " was accepted, but no such result is at hand"));
    return;
  }
  if (result->generation != job.generation) {
    checks_.Trouble(absl::StrCat(what, ": a result of generation ", result->generation,
                                 " was accepted into generation ", job.generation));
  }
  if (result->plan_digest != job.spec.plan_digest ||
      result->model_digest != job.spec.model_digest) {
    checks_.Trouble(absl::StrCat(what, ": a result of another plan or model was accepted"));
  }
  if (record.number < 0 || record.number >= job.spec.tile_count) {
    checks_.Trouble(absl::StrCat(what, " does not exist and was accepted"));
    return;
  }
  if (job.spec.prove_class && record.value != job.numeric_class) {
    checks_.Trouble(absl::StrCat(what, ": a result of class ", record.value,
                                 " was accepted into a strict job of class ", job.numeric_class));
  }
  Cell& cell = job.canvas.at(static_cast<size_t>(record.number));
  if (cell != Cell::kEmpty) {
    checks_.Trouble(absl::StrCat(what, " was merged twice, or into a hole"));
    return;
  }
  cell = Cell::kMerged;
  job.filled++;
  tiles_merged_++;
}

void Store::Continue(StoredJob& job) {
  const ContinuedTiles& from = *job.spec.continued;
  for (const int64_t tile : from.accepted) job.canvas.at(static_cast<size_t>(tile)) = Cell::kMerged;
  for (const int64_t tile : from.holes) job.canvas.at(static_cast<size_t>(tile)) = Cell::kHole;
  job.filled = static_cast<int64_t>(from.accepted.size() + from.holes.size());
  job.decided = from.promise != Promise::kUndecided;
  job.numeric_class = from.numeric_class;
}

void Store::LoseCanvases() {
  for (auto& [name, job] : jobs_) {
    if (job.ended) continue;
    job.generation++;
    job.canvas.assign(job.canvas.size(), Cell::kEmpty);
    job.filled = job.parked = 0;
  }
  for (RestoredJob& job : snapshot_.jobs) {
    job.spec.generation++;
    job.accepted.clear();
    job.continued = 0;
    job.failed.clear();
    job.holes.clear();
    job.tiles_by_worker.clear();
    job.classes.clear();
  }
}

bool Store::Ended(const std::string& job) const {
  const auto found = jobs_.find(job);
  return found != jobs_.end() && found->second.ended;
}

bool Store::Succeeded(const std::string& job) const {
  const auto found = jobs_.find(job);
  return found != jobs_.end() && found->second.succeeded;
}

bool Store::Decided(const std::string& job) const {
  const auto found = jobs_.find(job);
  return found != jobs_.end() && found->second.decided;
}

bool Store::Paused(const std::string& job) const { return jobs_.at(job).paused; }

const std::string& Store::ClassOf(const std::string& job) const {
  return jobs_.at(job).numeric_class;
}

int64_t Store::OpenTiles(const std::string& job) const {
  const StoredJob& stored = jobs_.at(job);
  return stored.spec.tile_count - stored.filled;
}

int64_t Store::TilesToCompute(const std::string& job) const {
  const StoredJob& stored = jobs_.at(job);
  return stored.spec.tile_count - stored.filled - stored.parked;
}

bool Store::LeftOut(const std::string& job, int64_t tile) const {
  return jobs_.at(job).canvas.at(static_cast<size_t>(tile)) == Cell::kHole;
}

bool Store::Merged(const std::string& job, int64_t tile) const {
  const auto found = jobs_.find(job);
  return found != jobs_.end() &&
         found->second.canvas.at(static_cast<size_t>(tile)) == Cell::kMerged;
}

}  // namespace tilewright::simulation
