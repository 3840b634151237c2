#include "coordinator/jobs/chosen_stages.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/merge/needed_tiles.h"

namespace tilewright {

void ChooseBefore(const WantedTiles& open, ResolvedJob* job) {
  const WantedTiles* wanted = &open;
  const StagePlan* next = job->plan.get();
  for (auto stage = job->before.rbegin(); stage != job->before.rend(); ++stage) {
    stage->wanted = std::make_shared<const WantedTiles>(
        NeededTiles(*stage->plan, stage->model->merge, *next, *wanted));
    stage->spec.tile_count = stage->wanted->count();
    wanted = stage->wanted.get();
    next = stage->plan.get();
  }
}

WantedTiles OpenTiles(const ResolvedJob& job, const ContinuedTiles& done) {
  std::vector<int64_t> open;
  for (int64_t number = 0; number < job.wanted->count(); ++number) {
    if (done.accepted.contains(number) || done.holes.contains(number)) continue;
    open.push_back(job.wanted->at(number).value);
  }
  return WantedTiles(*job.plan, std::move(open));
}

std::vector<int64_t> SkippedTiles(const ResolvedJob& job) {
  std::vector<int64_t> skipped;
  for (const ResolvedStage& stage : job.before) skipped.push_back(stage.wanted->skipped());
  skipped.push_back(job.wanted->skipped());
  return skipped;
}

void NoteSkipped(const ResolvedJob& job, std::vector<std::string>* notes) {
  if (job.before.empty()) return;
  const std::vector<int64_t> skipped = SkippedTiles(job);
  for (size_t i = 0; i < skipped.size(); ++i) {
    const ResolvedStage& stage = i < job.before.size() ? job.before[i] : job;
    if (skipped[i] == 0) continue;
    notes->push_back(absl::StrCat("stage ", i, " (", stage.model->model.name(), "): ", skipped[i],
                                  " of ", stage.plan->tile_count(), " tiles are not needed"));
  }
}

}  // namespace tilewright
