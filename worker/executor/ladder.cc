#include "worker/executor/ladder.h"

#include <algorithm>
#include <new>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "worker/executor/canary.h"
#include "worker/executor/smaller_stage.h"

namespace tilewright {
namespace {

constexpr int kPartsMax = 8;  // sub-tiles a side
constexpr size_t kDigestsMax = 64;
// Of the noise by which a worker compares its own ways, where no class is named.
constexpr uint64_t kOwnSeed = 1;

bool IsOutOfMemory(const absl::Status& status) {
  return !status.ok() && CauseOf(status) == v1::FAILURE_CAUSE_OUT_OF_MEMORY;
}

absl::Status NoMemoryLeft() {
  return EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY, "the process has no memory left");
}

}  // namespace

void LadderReport::Add(v1::LadderStep step, std::string text) {
  steps_.emplace_back(step, std::move(text));
}

void LadderReport::CopyTo(v1::TileCost* cost) const {
  for (const auto& [step, text] : steps_) {
    cost->add_ladder(step);
    cost->add_steps(text);
  }
}

absl::StatusOr<std::unique_ptr<Ladder>> Ladder::Create(
    const Options& options, const LocalModel& model, const StageKey& key,
    const StageNumbers& numbers, int64_t halo, const std::function<void(std::string)>& progress) {
  auto ladder = std::unique_ptr<Ladder>(new Ladder(options, model, key, numbers, halo));
  absl::Status status = ladder->Take(ladder->start_, progress);
  while (!status.ok() && !IsOutOfMemory(status) && ladder->start_ > 0) {
    if (progress) progress(absl::StrCat("cannot begin so small: ", status.message()));
    status = ladder->Take(--ladder->start_, progress);
  }
  if (!status.ok() && !IsOutOfMemory(status)) return status;
  return ladder;
}

Ladder::Ladder(const Options& options, LocalModel model, StageKey key, const StageNumbers& numbers,
               int64_t halo)
    : options_(options),
      model_(std::move(model)),
      key_(std::move(key)),
      numbers_(numbers),
      halo_(halo) {
  for (int batch = key_.batch; batch > 1; batch /= 2) ways_.push_back({.batch = batch});
  for (int parts = 1; parts <= kPartsMax; parts *= 2) ways_.push_back({.parts = parts});
  if (options_.cpu != nullptr) ways_.push_back({.batch = key_.batch, .on_cpu = true});
  start_ = std::max(WayOf(options_.first), static_cast<size_t>(options_.first));
}

size_t Ladder::WayOf(Rung rung) const {
  const auto reached = [&](const Way& way) {
    switch (rung) {
      case Rung::kWholeBatch:
        return true;
      case Rung::kHalfBatch:
        return way.batch <= std::max(1, key_.batch / 2);
      case Rung::kSingleTiles:
        return way.batch == 1;
      case Rung::kSubTiles:
        return way.parts > 1;
    }
    return true;
  };
  return static_cast<size_t>(std::find_if(ways_.begin(), ways_.end(), reached) - ways_.begin());
}

absl::StatusOr<std::unique_ptr<Stage>> Ladder::Load(
    const Way& way, const std::function<void(std::string)>& progress) {
  if (way.on_cpu) return options_.cpu->Load(model_, key_, progress);
  StageKey key = key_;
  key.batch = way.batch;
  if (way.parts == 1) {
    TW_ASSIGN_OR_RETURN(std::unique_ptr<Stage> stage, options_.engine->Load(model_, key, progress));
    if (way.batch == key_.batch) return stage;
    return InSmallerBatches(key_, way.batch, std::move(stage));
  }
  SubTileRules rules;
  rules.halo = halo_;
  rules.alignment = std::max<int64_t>(1, model_.manifest.alignment());
  rules.minimum = std::max<int64_t>(rules.alignment, model_.manifest.minimum());
  rules.scale = numbers_.scale;
  absl::StatusOr<SubTiling> tiling = PlanSubTiles(key_.shape, way.parts, rules);
  if (!tiling.ok()) {
    return EngineError(v1::FAILURE_CAUSE_REFUSED, std::string(tiling.status().message()));
  }
  key.shape = tiling->shape();
  parts_text_ = absl::StrCat(tiling->count(), " sub-tiles of ", ToString(key.shape));
  TW_ASSIGN_OR_RETURN(std::unique_ptr<Stage> stage, options_.engine->Load(model_, key, progress));
  return InSubTiles(key_, *std::move(tiling), std::move(stage));
}

absl::Status Ladder::Take(size_t way, const std::function<void(std::string)>& progress) {
  if (stage_ != nullptr && way == current_) return absl::OkStatus();
  stage_.reset();
  try {
    TW_ASSIGN_OR_RETURN(stage_, Load(ways_[way], progress));
  } catch (const std::bad_alloc&) {
    return NoMemoryLeft();
  }
  current_ = way;
  return absl::OkStatus();
}

absl::StatusOr<Executor::CanaryOutcome> Ladder::Measure(uint64_t seed) {
  try {
    TW_ASSIGN_OR_RETURN(Executor::CanaryOutcome outcome,
                        DigestCanary(numbers_, key_.batch, seed, *stage_));
    if (digests_.size() == kDigestsMax) digests_.clear();
    digests_[{current_, seed}] = outcome.digest;
    return outcome;
  } catch (const std::bad_alloc&) {
    return NoMemoryLeft();
  }
}

absl::StatusOr<std::string> Ladder::DigestOf(size_t way, uint64_t seed) {
  if (const auto it = digests_.find({way, seed}); it != digests_.end()) return it->second;
  TW_RETURN_IF_ERROR(Take(way, nullptr));
  TW_ASSIGN_OR_RETURN(const Executor::CanaryOutcome outcome, Measure(seed));
  return outcome.digest;
}

absl::Status Ladder::Admit(const v1::StageSpec& spec, size_t way) {
  if (ways_[way].on_cpu && !spec.allow_cpu_fallback()) {
    return EngineError(v1::FAILURE_CAUSE_REFUSED, "the job does not allow the CPU");
  }
  const bool named = !spec.numeric_class().empty();
  const uint64_t seed = named ? spec.canary_seed() : kOwnSeed;
  // Whole batches are what this worker's class stands for, unless its canary needed less.
  if (!spec.strict() || (way == 0 && !(named && HasDigestOf(seed)))) return Take(way, nullptr);
  std::string wanted = spec.numeric_class();
  if (!named) {
    absl::StatusOr<std::string> whole = DigestOf(0, seed);
    if (!whole.ok()) {
      return EngineError(CauseOf(whole.status()),
                         absl::StrCat("whether a smaller way gives the same bits cannot be shown: ",
                                      whole.status().message()));
    }
    wanted = *std::move(whole);
  }
  TW_ASSIGN_OR_RETURN(const std::string digest, DigestOf(way, seed));
  if (digest == wanted) return Take(way, nullptr);
  return EngineError(v1::FAILURE_CAUSE_REFUSED,
                     "a smaller way gives other bits, and the job is strict");
}

absl::StatusOr<size_t> Ladder::StepDown(const v1::StageSpec& spec, size_t from,
                                        const absl::Status& why) {
  std::string text(why.message());
  uint64_t peak = PeakBytesOf(why);
  for (size_t way = from + 1; way < ways_.size(); ++way) {
    const absl::Status admitted = Admit(spec, way);
    if (admitted.ok()) return way;
    peak = std::max(peak, PeakBytesOf(admitted));
    if (!absl::StrContains(text, admitted.message())) {
      absl::StrAppend(&text, "; ", admitted.message());
    }
  }
  return EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY, std::move(text), peak);
}

absl::Status Ladder::ClimbDown(const v1::StageSpec& spec,
                               const std::function<absl::Status()>& attempt, LadderReport* report) {
  size_t way = start_;
  // What proves a smaller way where no class is named is a whole batch; then it may as well be this
  // one.
  const bool named = !spec.numeric_class().empty();
  if (spec.strict() && !named && !digests_.contains({0, kOwnSeed})) way = 0;
  absl::Status status = Admit(spec, way);
  if (!status.ok() && way > 0) status = Admit(spec, way = 0);
  bool dropped = false;
  while (true) {
    if (status.ok()) {
      status = attempt();
      if (status.ok()) break;
      if (!IsOutOfMemory(status)) return status;
    }
    if (IsOutOfMemory(status) && !dropped) {
      dropped = true;
      if (options_.drop_caches) options_.drop_caches();
      report->Add(v1::LADDER_STEP_DROPPED_CACHES, "dropped caches");
      status = Admit(spec, way);
      continue;
    }
    const absl::StatusOr<size_t> next = StepDown(spec, way, status);
    if (!next.ok()) {
      stage_.reset();  // the next attempt may find memory for whole batches again
      report->Add(v1::LADDER_STEP_HANDED_BACK, "handed back");
      return next.status();
    }
    way = *next;
    status = absl::OkStatus();
  }
  if (way > 0) Describe(way, report);
  report->proven = way == 0 || spec.strict();
  start_ = std::max(start_, way);
  return absl::OkStatus();
}

bool Ladder::HasDigestOf(uint64_t seed) const {
  return std::any_of(digests_.begin(), digests_.end(),
                     [seed](const auto& entry) { return entry.first.second == seed; });
}

bool Ladder::StartsAtOnce(const v1::StageSpec& spec) const {
  if (stage_ == nullptr || current_ != 0 || start_ != 0) return false;
  if (!spec.strict() || spec.numeric_class().empty()) return true;
  const auto whole = digests_.find({0, spec.canary_seed()});
  return whole != digests_.end() ? whole->second == spec.numeric_class()
                                 : !HasDigestOf(spec.canary_seed());
}

InFlight<Stage::Outputs> Ladder::Begin(const v1::StageSpec& spec,
                                       absl::Span<const NetworkTile> inputs, LadderReport* report) {
  std::shared_ptr<Flight> flight;
  if (StartsAtOnce(spec)) {
    try {
      flight = std::make_shared<Flight>(Flight{stage_->Begin(inputs), std::nullopt, {}});
      flights_.push_back(flight);
    } catch (const std::bad_alloc&) {
      flight = nullptr;  // whether there is memory when it lands is seen then
    }
  }
  const bool overlaps = flight != nullptr && flight->run.overlaps();
  return InFlight<Stage::Outputs>(
      [this, &spec, inputs, flight, report] {
        return flight == nullptr ? Climb(spec, inputs, std::nullopt, report)
                                 : Land(spec, inputs, flight, report);
      },
      overlaps);
}

void Ladder::Await(Flight& flight) {
  if (flight.outputs.has_value()) return;
  try {
    flight.outputs = std::move(flight.run).Land();
  } catch (const std::bad_alloc&) {
    flight.outputs = NoMemoryLeft();
  }
  flight.notes = stage_->Notes();
}

Stage::Outputs Ladder::Land(const v1::StageSpec& spec, absl::Span<const NetworkTile> inputs,
                            const std::shared_ptr<Flight>& flight, LadderReport* report) {
  const bool in_turn = !flight->outputs.has_value();
  while (!flights_.empty()) {
    const std::shared_ptr<Flight> first = std::move(flights_.front());
    flights_.pop_front();
    Await(*first);
    if (first == flight) break;
  }
  Stage::Outputs outputs = *std::move(flight->outputs);
  if (outputs.ok()) {
    CopyNotes(flight->notes, report);
    return outputs;
  }
  if (!IsOutOfMemory(outputs.status())) return outputs;
  // What failed out of its turn may have failed only because of what was in flight before it.
  return Climb(spec, inputs, in_turn ? std::optional(outputs.status()) : std::nullopt, report);
}

Stage::Outputs Ladder::Climb(const v1::StageSpec& spec, absl::Span<const NetworkTile> inputs,
                             std::optional<absl::Status> failed, LadderReport* report) {
  for (const std::shared_ptr<Flight>& flight : flights_) Await(*flight);
  std::vector<NetworkTile> outputs;
  const auto attempt = [&]() -> absl::Status {
    if (failed.has_value()) return *std::exchange(failed, std::nullopt);
    try {
      TW_ASSIGN_OR_RETURN(outputs, stage_->Run(inputs));
    } catch (const std::bad_alloc&) {
      return NoMemoryLeft();
    }
    return absl::OkStatus();
  };
  TW_RETURN_IF_ERROR(ClimbDown(spec, attempt, report));
  CopyNotes(stage_->Notes(), report);
  return outputs;
}

void Ladder::CopyNotes(const RunNotes& notes, LadderReport* report) {
  report->device_seconds = notes.device_seconds;
  if (!notes.without_graph.empty()) report->Add(v1::LADDER_STEP_NO_GRAPH, notes.without_graph);
}

absl::StatusOr<Executor::CanaryOutcome> Ladder::RunCanary(uint64_t seed) {
  Executor::CanaryOutcome outcome;
  const auto attempt = [&]() -> absl::Status {
    TW_ASSIGN_OR_RETURN(outcome, Measure(seed));
    return absl::OkStatus();
  };
  v1::StageSpec any_way;  // the canary says which class the way has
  LadderReport report;
  TW_RETURN_IF_ERROR(ClimbDown(any_way, attempt, &report));
  return outcome;
}

void Ladder::Describe(size_t taken, LadderReport* report) const {
  const Way& way = ways_[taken];
  if (way.on_cpu) {
    report->Add(v1::LADDER_STEP_CPU, "computed on the CPU");
  } else if (way.parts > 1) {
    report->Add(v1::LADDER_STEP_SUB_TILES, absl::StrCat("computed in ", parts_text_));
  } else {
    report->Add(v1::LADDER_STEP_SMALLER_BATCH,
                absl::StrCat("executed ", way.batch, " at once instead of ", key_.batch));
  }
}

}  // namespace tilewright
