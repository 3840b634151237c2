// What the dispatcher does about jobs whose disk is full: they lease nothing more, their users are
// told, and they go on when there is room or somebody says so.

#include <spdlog/spdlog.h>

#include "absl/strings/str_cat.h"
#include "coordinator/service/dispatcher.h"

namespace tilewright {

void Dispatcher::DiskRoomChanged(const std::string& name) {
  absl::MutexLock lock(&mu_);
  const auto found = jobs_.find(name);
  if (found == jobs_.end()) return;
  RunningJob& job = found->second;
  // Asked here, under the lock: of two changes close together the later one is told last.
  const absl::Status room = merges_.WaitsForRoom(job.strand);
  const bool waited = job.waits_for_room;
  job.waits_for_room = !room.ok();
  std::string text;
  if (job.waits_for_room) {
    text = absl::StrCat(room.message(), ". ", job.job, " keeps what it has, looks for room every ",
                        absl::FormatDuration(options_.merges.room_retry),
                        ", and at once after `tilewright jobs resume ", job.job, "`.");
  }
  job.host->OnWaitsForRoom(text);
  if (job.waits_for_room != waited && (job.waits_for_room || job.why_stop.ok())) {
    Notice notice;
    notice.job = name;
    notice.kind = job.waits_for_room ? "waits_for_room" : "has_room";
    notice.text =
        job.waits_for_room ? text : absl::StrCat("There is room on the disk: ", name, " goes on.");
    Report(notice);
  }
  ApplyLimits(name);
  if (merges_.next_retry() < time_keeper_wakes_) time_changed_.Signal();
}

bool Dispatcher::LookForRoom(const std::string& name) {
  absl::MutexLock lock(&mu_);
  bool ended = false;
  for (const std::string& stage : StagesOf(name)) {
    const auto found = jobs_.find(stage);
    if (found == jobs_.end() || !found->second.waits_for_room) continue;
    found->second.operations.set(Event(JobResumed()).index());
    merges_.Retry(found->second.strand);
    ended = found->second.ended;
  }
  return ended;
}

}  // namespace tilewright
