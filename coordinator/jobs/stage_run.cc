#include "coordinator/jobs/stage_run.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/image/file_error.h"
#include "coordinator/jobs/input_error.h"
#include "proto/base/status_macros.h"
#include "proto/wire/status_details.h"

namespace tilewright {

StageRun::StageRun(ResolvedStage stage, std::shared_ptr<JobRecord> record, Options options)
    : stage_(std::move(stage)),
      record_(std::move(record)),
      options_(std::move(options)),
      tiles_(stage_, record_, options_.scratch, options_.now),
      scratch_(options_.scratch),
      merger_(std::make_unique<TileMerger>(*stage_.plan, stage_.format, stage_.model->merge,
                                           *options_.output, &scratch_, stage_.wanted.get())),
      held_(record_) {
  stage_.wanted->ForEachSkipped([this](TileIndex tile) { options_.inputs->Drop(tile); });
}

absl::StatusOr<OutgoingTile> StageRun::ReadTile(int64_t tile, LeaseKey lease) {
  absl::StatusOr<OutgoingTile> outgoing = tiles_.Read(*options_.inputs, tile, lease);
  if (!outgoing.ok() && options_.reader != nullptr) return WithInputReason(outgoing.status());
  return outgoing;
}

void StageRun::LimitHeld(int64_t bytes_max) {
  // Both together stay within the bound, and the merger never gets less than it needs for a tile.
  const int64_t needed = TileMerger::BytesNeeded(*stage_.plan, stage_.format);
  const int64_t of_image = std::max<int64_t>(0, std::min(bytes_max / 2, bytes_max - needed));
  merger_->set_bytes_max(bytes_max - of_image);
  limited_ = options_.output->LimitHeld(of_image);
}

absl::Status StageRun::MakeRoom(int64_t) {
  absl::Status room = limited_;
  if (room.ok()) room = merger_->FindRoom();
  if (room.ok()) room = options_.output->FindRoom();
  return IsNoRoom(room) ? OrReason(WithFreeBytes(room), "DISK_FULL") : room;
}

absl::Status StageRun::Merge(int64_t tile, std::vector<std::byte> samples) {
  const TileIndex at = stage_.wanted->at(tile);
  options_.inputs->Drop(at);
  return Merged(merger_->AddTile(at, std::move(samples)),
                absl::StrCat("merging tile ", tile, " of stage ", stage_.number));
}

absl::Status StageRun::MergeHole(int64_t tile) {
  const TileIndex at = stage_.wanted->at(tile);
  options_.inputs->Drop(at);
  options_.output->AddHole(at);
  return Merged(merger_->AddHole(at),
                absl::StrCat("leaving out tile ", tile, " of stage ", stage_.number));
}

absl::Status StageRun::Merged(absl::Status status, absl::string_view doing) {
  held_.Tell(held_bytes(), merger_->bytes_spilled() + options_.output->bytes_spilled());
  if (!status.ok()) {
    return OrReason(Annotate(status, doing),
                    absl::IsResourceExhausted(status) ? "DISK_FULL" : "SCRATCH_FAILED");
  }
  const StageChain::Complete complete = options_.output->TakeComplete();
  if (!complete.tiles.empty() || !complete.left_out.empty()) options_.on_complete(complete);
  return absl::OkStatus();
}

absl::Status StageRun::Finish() {
  if (!merger_->done()) {
    return absl::InternalError(
        absl::StrCat("stage ", stage_.number, " is not complete: ", merger_->tiles_added(), " of ",
                     stage_.wanted->count(), " tiles were merged; this is a bug"));
  }
  if (options_.reader == nullptr) return absl::OkStatus();
  return WithInputReason(options_.reader->CheckUnchanged());
}

}  // namespace tilewright
