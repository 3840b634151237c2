#include "worker/executor/core_executor.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/base/status_macros.h"
#include "worker/device/malloc_tuning.h"
#include "worker/executor/convert.h"
#include "worker/executor/ladder.h"
#include "worker/executor/stage_cache.h"

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
    Ladder::Options ladder;
    ladder.first = options_.first_rung;
    ladder.engine = engine->engine.get();
    const auto cpu = std::find_if(
        options_.cpu_engines.begin(), options_.cpu_engines.end(),
        [&model](Engine* candidate) { return candidate->name() == model.manifest.engine(); });
    if (cpu != options_.cpu_engines.end()) ladder.cpu = *cpu;
    ladder.drop_caches = [this] { DropCaches(); };
    const int64_t halo = std::max<int64_t>(spec.halo(), model.manifest.halo());
    TW_ASSIGN_OR_RETURN(std::unique_ptr<Ladder> stage,
                        Ladder::Create(ladder, model, key, numbers, halo, progress));
    stages_.Insert(key, model.manifest, std::move(stage));
    return absl::OkStatus();
  }

  std::vector<TileOutcome> Execute(const v1::StageSpec& spec,
                                   std::vector<TileTask> tasks) override {
    std::vector<TileOutcome> outcomes;
    for (const TileTask& task : tasks) {
      TileOutcome outcome;
      outcome.index = task.index;
      outcome.cost.set_batch(static_cast<uint32_t>(tasks.size()));
      outcomes.push_back(std::move(outcome));
    }
    if (tasks.empty()) return outcomes;
    const auto prepared = Prepared(spec);
    const absl::Status status =
        prepared.ok() ? RunTiles(*prepared, spec, tasks, &outcomes) : prepared.status();
    if (!status.ok()) {
      for (TileOutcome& outcome : outcomes) outcome.samples = status;
    }
    return outcomes;
  }

  absl::StatusOr<CanaryOutcome> RunCanary(const v1::StageSpec& spec, uint64_t seed) override {
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

  // Of the stage that runs, the most recently used, nothing goes.
  void DropCaches() {
    stages_.KeepNewest();
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

  static absl::Status RunTiles(const PreparedStage& prepared, const v1::StageSpec& spec,
                               const std::vector<TileTask>& tasks,
                               std::vector<TileOutcome>* outcomes) {
    try {
      std::vector<NetworkTile> inputs;
      for (const TileTask& task : tasks) inputs.push_back(ToNetworkTile(prepared.numbers, task));
      const auto start = std::chrono::steady_clock::now();
      LadderReport report;
      const auto outputs = prepared.stage->Run(spec, inputs, &report);
      const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
      for (TileOutcome& outcome : *outcomes) {
        outcome.of_class = report.proven;
        outcome.cost.set_engine_seconds(elapsed.count() / static_cast<double>(tasks.size()));
        outcome.cost.set_device_seconds(report.device_seconds / static_cast<double>(tasks.size()));
        report.CopyTo(&outcome.cost);
      }
      TW_RETURN_IF_ERROR(outputs.status());
      TW_RETURN_IF_ERROR(CheckOutputs(prepared.numbers, inputs, *outputs));
      for (size_t i = 0; i < tasks.size(); ++i) {
        (*outcomes)[i].samples = FromNetworkTile(prepared.numbers, tasks[i], (*outputs)[i]);
      }
    } catch (const std::bad_alloc&) {
      return EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY,
                         "the process has no memory left for the tile beside the engine");
    }
    return absl::OkStatus();
  }

  const CoreOptions options_;
  std::vector<NamedEngine> engines_;  // as given to the constructor
  StageCache<Ladder> stages_;
};

}  // namespace

std::unique_ptr<Executor> CreateCoreExecutor(std::vector<std::unique_ptr<Engine>> engines,
                                             const CoreOptions& options) {
  return std::make_unique<CoreExecutor>(std::move(engines), options);
}

}  // namespace tilewright
