#include "coordinator/jobs/job_record.h"

#include <utility>

#include "proto/wire/status_details.h"
#include "proto/wire/tile_types.h"

namespace tilewright {
namespace {

// Most failed tiles and holes that a Job names.
constexpr int kTilesNamedMax = 1000;
// Steps of one attempt, bytes of a step's text, and different things told, that are looked at.
constexpr int kStepsMax = 16;
constexpr size_t kStepTextMax = 200;
constexpr size_t kToldMax = 1000;

bool IsEnd(v1::Job::State state) {
  return state == v1::Job::STATE_SUCCEEDED || state == v1::Job::STATE_FAILED ||
         state == v1::Job::STATE_CANCELLED;
}

void FillFromView(const JobView& view, v1::Job* job) {
  job->set_tiles_done(static_cast<uint64_t>(view.tiles_done));
  for (const int64_t tiles : view.stage_tiles_done) {
    job->add_stage_tiles_done(static_cast<uint64_t>(tiles));
  }
  job->set_attempts(static_cast<uint64_t>(view.attempts));
  job->set_copies(static_cast<uint64_t>(view.copies));
  job->set_paused(view.paused);
  job->set_priority(view.priority);
  job->set_failed_tile_count(view.failed_tiles.size());
  for (const int64_t tile : view.failed_tiles) {
    if (job->failed_tiles_size() == kTilesNamedMax) break;
    job->add_failed_tiles(static_cast<uint64_t>(tile));
  }
  for (const auto& [name, tiles] : view.tiles_by_worker) {
    v1::WorkerShare* share = job->add_workers();
    share->set_name(name);
    share->set_tiles(static_cast<uint64_t>(tiles));
  }
  for (const std::string& numeric_class : view.numeric_classes) {
    job->add_numeric_classes(numeric_class);
  }
  if (view.largest_difference.has_value()) {
    job->set_largest_difference(*view.largest_difference);
  }
  if (view.promise == Promise::kStrict) job->set_promise("strict");
  if (view.promise == Promise::kTolerant) job->set_promise("tolerant");
  if (view.first_grant.has_value() && view.last_accept.has_value()) {
    job->set_compute_seconds(absl::ToDoubleSeconds(*view.last_accept - *view.first_grant));
  }
}

}  // namespace

JobRecord::JobRecord(Identity identity, v1::RenderRequest request, v1::PlanSummary plan,
                     std::string exactness)
    : identity_(std::move(identity)),
      request_(std::move(request)),
      plan_(std::move(plan)),
      exactness_(std::move(exactness)) {}

void JobRecord::SetState(v1::Job::State state) {
  {
    absl::MutexLock lock(&mu_);
    if (IsEnd(state_)) return;
    state_ = state;
    ++version_;
  }
  if (listener_) listener_();
}

void JobRecord::SetRunning() { SetState(v1::Job::STATE_RUNNING); }
void JobRecord::SetMerging() { SetState(v1::Job::STATE_MERGING); }

void JobRecord::SetEnded(const absl::Status& status, const JobView& last,
                         const std::string& pixel_hash, Instant now) {
  {
    absl::MutexLock lock(&mu_);
    if (IsEnd(state_)) return;
    last_ = last;
    ended_at_ = now;
    error_ = status;
    pixel_hash_ = pixel_hash;
    state_ = status.ok()                 ? v1::Job::STATE_SUCCEEDED
             : absl::IsCancelled(status) ? v1::Job::STATE_CANCELLED
                                         : v1::Job::STATE_FAILED;
    preview_ = nullptr;
    ++version_;
  }
  if (listener_) listener_();
}

void JobRecord::SetPreview(std::shared_ptr<const LivePreview> preview) {
  absl::MutexLock lock(&mu_);
  if (!IsEnd(state_)) preview_ = std::move(preview);
}

std::shared_ptr<const LivePreview> JobRecord::preview() const {
  absl::MutexLock lock(&mu_);
  return preview_;
}

void JobRecord::AddEvent(const Notice& notice, Instant now) {
  absl::MutexLock lock(&mu_);
  AddEventLocked(notice, now);
}

void JobRecord::AddEventLocked(const Notice& notice, Instant now) {
  v1::Event event;
  event.set_kind(notice.kind);
  if (notice.tile.has_value()) event.set_tile(static_cast<uint64_t>(*notice.tile));
  event.set_worker(notice.worker);
  event.set_text(notice.text);
  event.set_seconds(absl::ToDoubleSeconds(now - identity_.submitted));
  events_.Add(std::move(event));
  ++version_;
}

bool JobRecord::FirstOf(const std::string& worker, int kind) {
  return told_.size() < kToldMax && told_.insert({worker, kind}).second;
}

void JobRecord::AddCost(const std::string& worker, int64_t tile, const v1::TileCost& cost,
                        Instant now) {
  if (cost.ladder_size() == 0 && !cost.constant_result()) return;  // the rule
  absl::MutexLock lock(&mu_);
  const int steps = std::min({cost.ladder_size(), cost.steps_size(), kStepsMax});
  for (int i = 0; i < steps; ++i) {
    ++ladder_[cost.ladder(i)];
    if (!FirstOf(worker, cost.ladder(i))) continue;
    const char* const happened =
        cost.ladder(i) == v1::LADDER_STEP_NO_GRAPH ? "No CUDA graph on " : "Memory ran out on ";
    AddEventLocked({identity_.name, "ladder_step", tile, worker,
                    absl::StrCat(happened, worker, " for tile ", tile, ": ",
                                 cost.steps(i).substr(0, kStepTextMax), ".")},
                   now);
  }
  if (!cost.constant_result()) return;
  ++constant_results_;
  if (!FirstOf(worker, v1::LADDER_STEP_UNSPECIFIED)) return;
  AddEventLocked({identity_.name, "constant_result", tile, worker,
                  absl::StrCat("The result of tile ", tile, " from ", worker,
                               " is one constant though its input is not.")},
                 now);
}

void JobRecord::SetCheckpoint(const absl::StatusOr<int64_t>& tiles, Instant now) {
  if (tiles.ok()) {
    checkpoint_tiles_ = *tiles;
    return;
  }
  absl::MutexLock lock(&mu_);
  if (std::exchange(told_checkpoint_, true)) return;
  AddEventLocked({identity_.name, "checkpoint_failed", std::nullopt, "",
                  absl::StrCat("A checkpoint could not be taken, an earlier one holds: ",
                               tiles.status().message(), ".")},
                 now);
}

void JobRecord::AddHole(int64_t tile, const Rect& rect) {
  absl::MutexLock lock(&mu_);
  holes_[tile] = rect;
  ++version_;
}

void JobRecord::SetWaitsForRoom(const std::string& text) {
  {
    absl::MutexLock lock(&mu_);
    if (waits_for_room_ == text) return;
    waits_for_room_ = text;
    ++version_;
  }
  if (listener_) listener_();
}

void JobRecord::SetPartial(const std::string& path, int64_t missing) {
  absl::MutexLock lock(&mu_);
  partial_output_ = path;
  missing_tiles_ = missing;
  ++version_;
}

std::string JobRecord::partial_output() const {
  absl::MutexLock lock(&mu_);
  return partial_output_;
}

bool JobRecord::ended() const { return IsEnd(state()); }

v1::Job::State JobRecord::state() const {
  absl::MutexLock lock(&mu_);
  return state_;
}

int64_t JobRecord::version() const {
  absl::MutexLock lock(&mu_);
  return version_;
}

void JobRecord::AddSkipped(v1::Job* job) const {
  int64_t skipped = 0;
  for (const int64_t tiles : skipped_tiles_) skipped += tiles;
  job->mutable_plan()->set_skipped_tiles(static_cast<uint64_t>(skipped));
  job->set_tiles_done(job->tiles_done() + job->plan().skipped_tiles());
  for (int i = 0; i < job->stage_tiles_done_size(); ++i) {
    const int64_t of_stage = skipped_tiles_.at(static_cast<size_t>(i));
    job->set_stage_tiles_done(i, job->stage_tiles_done(i) + static_cast<uint64_t>(of_stage));
  }
}

void JobRecord::SetSkipped(std::vector<int64_t> tiles) {
  absl::MutexLock lock(&mu_);
  skipped_tiles_ = std::move(tiles);
}

v1::Job JobRecord::Snapshot(const JobView* view, Instant now, bool with_events) const {
  v1::Job job;
  job.set_name(identity_.name);
  *job.mutable_request() = request_;
  *job.mutable_plan() = plan_;
  job.set_exactness(exactness_);
  job.set_created(identity_.created);
  job.set_tenant(identity_.tenant);
  job.set_priority(request_.priority());
  absl::MutexLock lock(&mu_);
  job.set_state(state_);
  if (!error_.ok()) *job.mutable_error() = ToProto(error_);
  if (last_.has_value()) {
    FillFromView(*last_, &job);
  } else if (view != nullptr) {
    FillFromView(*view, &job);
    if (view->remaining.has_value()) {
      job.set_eta_seconds(absl::ToDoubleSeconds(*view->remaining));
    }
  }
  AddSkipped(&job);
  job.set_waits_for_decision(!IsEnd(state_) && job.failed_tile_count() > 0);
  if (IsEnd(state_)) job.set_paused(false);
  job.set_hole_count(holes_.size());
  for (const auto& [tile, rect] : holes_) {
    if (job.holes_size() == kTilesNamedMax) break;
    v1::Hole* hole = job.add_holes();
    hole->set_tile(static_cast<uint64_t>(tile));
    SetWire(rect, hole->mutable_rect());
  }
  for (const auto& [step, attempts] : ladder_) {
    v1::LadderCount* count = job.add_ladder();
    count->set_step(step);
    count->set_attempts(attempts);
  }
  job.set_constant_results(constant_results_);
  job.set_continued_tiles(static_cast<uint64_t>(continued_tiles_.load()));
  job.set_copied_blocks(static_cast<uint64_t>(copied_blocks_.load()));
  if (!IsEnd(state_)) {
    job.set_held_bytes(static_cast<uint64_t>(held_bytes_.load()));
    job.set_spilled_bytes(static_cast<uint64_t>(spilled_bytes_.load()));
    job.set_waits_for_room(waits_for_room_);
    job.set_checkpoint_tiles(static_cast<uint64_t>(checkpoint_tiles_.load()));
  }
  job.set_seconds(absl::ToDoubleSeconds(ended_at_.value_or(now) - identity_.submitted));
  job.set_pixel_hash(pixel_hash_);
  job.set_partial_output(partial_output_);
  job.set_missing_tile_count(static_cast<uint64_t>(missing_tiles_));
  if (with_events) events_.CopyTo(&job);
  return job;
}

}  // namespace tilewright
