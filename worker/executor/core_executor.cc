#include "worker/executor/core_executor.h"

#include <algorithm>
#include <cassert>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/base/status_macros.h"
#include "worker/device/malloc_tuning.h"
#include "worker/executor/convert.h"
#include "worker/executor/ladder.h"
#include "worker/executor/stage_cache.h"
#include "worker/executor/turn_clock.h"

namespace tilewright {
namespace {

StageKey KeyOf(const v1::StageSpec& stage, int network_channels, std::string environment) {
  StageKey key;
  key.model_digest = stage.model_digest();
  key.stage = stage.stage();
  key.shape = {stage.tile_width(), stage.tile_height()};
  key.channels = network_channels;
  key.batch = static_cast<int>(stage.batch());
  key.dtype = stage.dtype().empty() ? "fp32" : stage.dtype();
  key.environment = std::move(environment);
  return key;
}

class CoreExecutor : public Executor {
 public:
  CoreExecutor(std::vector<std::unique_ptr<Engine>> engines, const CoreOptions& options)
      : options_(options), stages_(options.stage_bytes_max) {
    for (auto& engine : engines) {
      std::string environment = engine->environment_key();
      engines_.push_back({std::move(engine), std::move(environment)});
    }
  }

  absl::Status Prepare(const v1::StageSpec& spec, const LocalModel& model,
                       const std::function<void(std::string)>& progress) override {
    if (spec.model_digest() != model.digest) {
      return EngineError(v1::FAILURE_CAUSE_REFUSED,
                         absl::StrCat("the stage wants the model ", spec.model_digest(),
                                      ", this one is ", model.digest));
    }
    TW_ASSIGN_OR_RETURN(const StageNumbers numbers, ReadStage(spec, model.manifest));
    TW_ASSIGN_OR_RETURN(const NamedEngine* engine, EngineNamed(model.manifest.engine()));
    const StageKey key = KeyOf(spec, numbers.channels.network_in, engine->environment);
    if (stages_.Find(key) != nullptr) return absl::OkStatus();
    assert(in_flight_ == 0);
    Ladder::Options ladder;
    ladder.first = options_.first_rung;
    ladder.engine = engine->engine.get();
    const auto cpu = std::find_if(
        options_.cpu_engines.begin(), options_.cpu_engines.end(),
        [&model](Engine* candidate) { return candidate->name() == model.manifest.engine(); });
    if (cpu != options_.cpu_engines.end()) ladder.cpu = *cpu;
    ladder.drop_caches = [this, key] { DropCaches(key); };
    const int64_t halo = std::max<int64_t>(spec.halo(), model.manifest.halo());
    TW_ASSIGN_OR_RETURN(std::unique_ptr<Ladder> stage,
                        Ladder::Create(ladder, model, key, numbers, halo, progress));
    stages_.Insert(key, model.manifest, std::move(stage));
    return absl::OkStatus();
  }

  InFlight<Outcomes> Begin(const v1::StageSpec& spec, std::vector<TileTask> tasks) override {
    auto batch = std::make_unique<Batch>(spec, std::move(tasks));
    for (const TileTask& task : batch->tasks) {
      TileOutcome outcome;
      outcome.index = task.index;
      outcome.cost.set_batch(static_cast<uint32_t>(batch->tasks.size()));
      batch->outcomes.push_back(std::move(outcome));
    }
    assert(in_flight_ < kInFlightMax);
    Start(*batch, /*others=*/in_flight_ > 0);
    const bool overlaps = batch->run.has_value() && batch->run->overlaps();
    ++in_flight_;
    return InFlight<Outcomes>(
        [this, batch = std::move(batch)] {
          --in_flight_;
          const absl::Status status = Finish(*batch);
          if (!status.ok()) {
            for (TileOutcome& outcome : batch->outcomes) outcome.samples = status;
          }
          return std::move(batch->outcomes);
        },
        overlaps);
  }

  absl::StatusOr<CanaryOutcome> RunCanary(const v1::StageSpec& spec, uint64_t seed) override {
    assert(in_flight_ == 0);
    TW_ASSIGN_OR_RETURN(const PreparedStage prepared, Prepared(spec));
    return prepared.stage->RunCanary(seed);
  }

 private:
  struct NamedEngine {
    std::unique_ptr<Engine> engine;
    std::string environment;  // its key, asked for once
  };
  struct PreparedStage {
    StageNumbers numbers;
    Ladder* stage = nullptr;
  };

  // What is between Begin and its end. What begins last lands last.
  struct Batch {
    Batch(const v1::StageSpec& stage, std::vector<TileTask> given)
        : spec(stage), tasks(std::move(given)) {}
    const v1::StageSpec& spec;
    std::vector<TileTask> tasks;
    Outcomes outcomes;  // one per task
    PreparedStage prepared;
    std::vector<NetworkTile> inputs;
    LadderReport report;
    TurnClock::Time began;
    std::optional<InFlight<Stage::Outputs>> run;  // absent: not begun
    absl::Status status;                          // why it could not be
  };

  // Of the stage that runs nothing goes.
  void DropCaches(const StageKey& runs) {
    stages_.KeepOnly(runs);
    for (const NamedEngine& engine : engines_) engine.engine->DropCaches();
    ReturnFreeMemory();
  }

  absl::StatusOr<const NamedEngine*> EngineNamed(const std::string& name) const {
    std::vector<std::string> names;
    for (const NamedEngine& engine : engines_) {
      names.push_back(engine.engine->name());
      if (names.back() == name) return &engine;
    }
    return EngineError(v1::FAILURE_CAUSE_REFUSED,
                       absl::StrCat("this worker has no engine '", name, "'; it has ",
                                    absl::StrJoin(names, ", ")));
  }

  absl::StatusOr<PreparedStage> Prepared(const v1::StageSpec& spec) {
    if (const v1::ModelManifest* manifest = stages_.ManifestOf(spec.model_digest())) {
      PreparedStage prepared;
      TW_ASSIGN_OR_RETURN(prepared.numbers, ReadStage(spec, *manifest));
      TW_ASSIGN_OR_RETURN(const NamedEngine* engine, EngineNamed(manifest->engine()));
      prepared.stage =
          stages_.Find(KeyOf(spec, prepared.numbers.channels.network_in, engine->environment));
      if (prepared.stage != nullptr) return prepared;
    }
    return EngineError(
        v1::FAILURE_CAUSE_REFUSED,
        absl::StrCat("stage ", spec.stage(), " of ", spec.job(), " at ", spec.tile_width(), "x",
                     spec.tile_height(), " was not prepared on this worker"));
  }

  // Cutting out contributions relies on it.
  static absl::Status CheckOutputs(const StageNumbers& numbers,
                                   const std::vector<NetworkTile>& inputs,
                                   const std::vector<NetworkTile>& outputs) {
    const Size size{numbers.scale.Exact(numbers.shape.width),
                    numbers.scale.Exact(numbers.shape.height)};
    const int channels = numbers.channels.network_out;
    const auto samples = static_cast<size_t>(size.area() * channels);
    const auto right = [&](const NetworkTile& tile) {
      return tile.size == size && tile.channels == channels && tile.values.size() == samples;
    };
    if (outputs.size() == inputs.size() && std::all_of(outputs.begin(), outputs.end(), right)) {
      return absl::OkStatus();
    }
    return EngineError(
        v1::FAILURE_CAUSE_BAD_RESULT,
        absl::StrCat("the engine gave ", outputs.size(), " tiles for ", inputs.size(),
                     ", not each of ", ToString(size), " with ", channels, " channels"));
  }

  // Begins the batch's run, or sets its status. Stages take turns: with `others` in flight that are
  // not all of the same stage, the run is left to its landing.
  void Start(Batch& batch, bool others) {
    if (batch.tasks.empty()) return;
    absl::StatusOr<PreparedStage> prepared = Prepared(batch.spec);
    if (!prepared.ok()) {
      batch.status = prepared.status();
      return;
    }
    if (others && prepared->stage != in_flight_of_) {
      in_flight_of_ = nullptr;
      return;
    }
    if (!others) in_flight_of_ = prepared->stage;
    batch.prepared = *std::move(prepared);
    try {
      for (const TileTask& task : batch.tasks) {
        batch.inputs.push_back(ToNetworkTile(batch.prepared.numbers, task));
      }
      batch.began = TurnClock::Now();
      batch.run = batch.prepared.stage->Begin(batch.spec, batch.inputs, &batch.report);
    } catch (const std::bad_alloc&) {
      batch.status = NoMemoryBesideTheEngine();
    }
  }

  absl::Status Finish(Batch& batch) {
    if (!batch.run.has_value() && batch.status.ok()) {
      Start(batch, /*others=*/false);
      if (in_flight_ > 0) in_flight_of_ = nullptr;  // what is behind it waits as well
    }
    if (!batch.run.has_value()) return batch.status;
    const StageNumbers& numbers = batch.prepared.numbers;
    try {
      const auto outputs = std::move(*batch.run).Land();
      const double seconds = clock_.Land(batch.began);
      const auto tiles = static_cast<double>(batch.tasks.size());
      for (TileOutcome& outcome : batch.outcomes) {
        outcome.of_class = batch.report.proven;
        outcome.cost.set_engine_seconds(seconds / tiles);
        outcome.cost.set_device_seconds(batch.report.device_seconds / tiles);
        batch.report.CopyTo(&outcome.cost);
      }
      TW_RETURN_IF_ERROR(outputs.status());
      TW_RETURN_IF_ERROR(CheckOutputs(numbers, batch.inputs, *outputs));
      for (size_t i = 0; i < batch.tasks.size(); ++i) {
        batch.outcomes[i].samples = FromNetworkTile(numbers, batch.tasks[i], (*outputs)[i]);
      }
    } catch (const std::bad_alloc&) {
      return NoMemoryBesideTheEngine();
    }
    return absl::OkStatus();
  }

  static absl::Status NoMemoryBesideTheEngine() {
    return EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY,
                       "the process has no memory left for the tile beside the engine");
  }

  const CoreOptions options_;
  std::vector<NamedEngine> engines_;  // as given to the constructor
  StageCache<Ladder> stages_;
  TurnClock clock_;
  size_t in_flight_ = 0;  // batches that have begun and not landed
  // The stage that all of them have begun on; null if one waits for its landing.
  const Ladder* in_flight_of_ = nullptr;
};

}  // namespace

std::unique_ptr<Executor> CreateCoreExecutor(std::vector<std::unique_ptr<Engine>> engines,
                                             const CoreOptions& options) {
  return std::make_unique<CoreExecutor>(std::move(engines), options);
}

}  // namespace tilewright
