#include "coordinator/service/inner_stages.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/image/intermediate_image.h"
#include "coordinator/jobs/stage_run.h"
#include "coordinator/jobs/tile_inputs.h"

namespace tilewright {
namespace {

// The numbers that the scheduler knows tiles of the plan by.
std::vector<int64_t> NumbersOf(const WantedTiles& wanted, const std::vector<int64_t>& tiles) {
  std::vector<int64_t> numbers;
  numbers.reserve(tiles.size());
  for (const int64_t tile : tiles) numbers.push_back(wanted.NumberOf({tile}).value());
  return numbers;
}

}  // namespace

std::vector<Dispatcher::Stage> StartInnerStages(const std::string& scratch,
                                                const std::shared_ptr<JobRecord>& record,
                                                Dispatcher& dispatcher, ResolvedJob* job,
                                                JobRun::Options* last) {
  std::vector<Dispatcher::Stage> hosts;
  std::vector<ResolvedStage> stages = std::exchange(job->before, {});
  std::shared_ptr<TileSource> inputs;
  for (size_t i = 0; i < stages.size(); ++i) {
    ResolvedStage& stage = stages[i];
    const ResolvedStage& next = i + 1 < stages.size() ? stages[i + 1] : *job;
    StageRun::Options options;
    options.scratch = scratch;
    options.now = last->now;
    options.inputs = inputs;
    if (stage.number == 0) {
      options.reader = job->reader;
      options.inputs = std::make_shared<TileInputs>(*stage.plan, *job->reader, scratch);
    }
    options.output = std::make_shared<IntermediateImage>(stage.plan, stage.model->merge,
                                                         stage.format, next.plan, scratch);
    inputs = options.output;
    options.on_complete = [&dispatcher, name = next.spec.name,
                           wanted = next.wanted](const StageChain::Complete& complete) {
      dispatcher.ReleaseTiles(
          name, {NumbersOf(*wanted, complete.tiles), NumbersOf(*wanted, complete.left_out)});
    };
    const JobSpec spec = stage.spec;
    hosts.push_back(
        {spec, std::make_shared<StageRun>(std::move(stage), record, std::move(options))});
  }
  last->inputs = std::move(inputs);
  return hosts;
}

std::vector<MatchView> MatchStages(const Dispatcher& dispatcher, const ResolvedJob& job) {
  std::vector<MatchView> all = dispatcher.Match(job.spec);
  for (const ResolvedStage& stage : job.before) {
    const std::vector<MatchView> views = dispatcher.Match(stage.spec);
    for (size_t i = 0; i < views.size() && i < all.size(); ++i) {
      if (views[i].worker != all[i].worker) continue;  // it joined or left in between
      if (!views[i].reason.empty() && views[i].reason != all[i].reason) {
        all[i].reason =
            absl::StrCat(views[i].reason, all[i].reason.empty() ? "" : " ", all[i].reason);
      }
      all[i].eligible = all[i].eligible || views[i].eligible;
    }
  }
  return all;
}

}  // namespace tilewright
