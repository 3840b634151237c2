// The engine alone: every STEP-th tile of a job's tile list, from memory, through the worker's own
// executor (conversions, checks and malloc settings included) without a network or a coordinator.
// The reference of the efficiency figure.
//
//   engine_reference MODELS MODEL IMAGE TILE HALO FIRST STEP
//
// Prints "ready" once the model is warm, waits for a line on stdin, computes, prints one JSON
// object.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include "coordinator/image/image_reader.h"
#include "coordinator/models/repository.h"
#include "coordinator/plan/stage_plan.h"
#include "proto/base/status_macros.h"
#include "worker/device/malloc_tuning.h"
#include "worker/engine/engine.h"
#include "worker/engine/local_model.h"
#include "worker/executor/checking_executor.h"
#include "worker/executor/core_executor.h"
#include "worker/executor/timing_executor.h"

namespace tilewright {
namespace {

struct Arguments {
  std::string models, model, image;
  int64_t tile = 0, halo = 0, first = 0, step = 1;
};

absl::StatusOr<v1::StageSpec> SpecOf(const RepositoryModel& model, const StagePlan& plan,
                                     int channels) {
  v1::StageSpec spec;
  spec.set_job("jobs/reference");
  spec.set_generation(1);
  spec.set_model(model.model.name());
  spec.set_model_digest(model.model.digest());
  spec.set_tile_width(static_cast<uint32_t>(plan.compute_shape().width));
  spec.set_tile_height(static_cast<uint32_t>(plan.compute_shape().height));
  spec.set_input_channels(static_cast<uint32_t>(channels));
  spec.set_output_channels(static_cast<uint32_t>(channels));
  spec.set_input_sample(v1::SAMPLE_TYPE_U8);
  spec.set_output_sample(v1::SAMPLE_TYPE_U8);
  spec.set_scale_p(static_cast<uint32_t>(plan.model().scale.p()));
  spec.set_scale_q(static_cast<uint32_t>(plan.model().scale.q()));
  spec.set_dtype("fp32");
  spec.set_batch(1);
  spec.set_image_width(static_cast<uint32_t>(plan.image().width));
  spec.set_image_height(static_cast<uint32_t>(plan.image().height));
  return spec;
}

absl::Status Run(const Arguments& arguments) {
  TW_ASSIGN_OR_RETURN(const ModelRepository repository, ModelRepository::Load(arguments.models));
  TW_ASSIGN_OR_RETURN(const RepositoryModel* model, repository.Find(arguments.model));
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<ImageReader> reader,
                      ImageReader::Open(arguments.image, ImageLimits{}));
  PlanRequest request;
  request.image = reader->info().size;
  request.tile = arguments.tile;
  request.halo = arguments.halo;
  request.overlap = 0;
  TW_ASSIGN_OR_RETURN(const StagePlan plan, StagePlan::Create(model->geometry, request));
  TW_ASSIGN_OR_RETURN(const v1::StageSpec spec, SpecOf(*model, plan, reader->info().channels));

  std::vector<TileTask> tasks;
  for (int64_t i = arguments.first; i < plan.tile_count(); i += arguments.step) {
    TileTask task;
    task.index = static_cast<uint64_t>(i);
    task.input = plan.InputRect({i});
    task.contribution = plan.Contribution({i});
    task.samples.resize(static_cast<size_t>(task.input.area() * reader->info().channels));
    TW_RETURN_IF_ERROR(
        reader->Read(task.input, model->geometry.pad_mode, absl::MakeSpan(task.samples)));
    tasks.push_back(std::move(task));
  }

  TW_ASSIGN_OR_RETURN(std::unique_ptr<Engine> torch, CreateTorchEngine(TorchOptions{"cpu", 1}));
  std::vector<std::unique_ptr<Engine>> engines;
  engines.push_back(std::move(torch));
  const std::unique_ptr<Executor> executor =
      CreateTimingExecutor(CreateCheckingExecutor(CreateCoreExecutor(std::move(engines))));
  const std::string folder =
      model->files.front().path.substr(0, model->files.front().path.rfind('/'));
  TW_ASSIGN_OR_RETURN(const LocalModel local, OpenLocalModel(folder, model->model.digest()));
  const auto load_start = std::chrono::steady_clock::now();
  TW_RETURN_IF_ERROR(executor->Prepare(spec, local, [](std::string) {}));
  for (int i = 0; i < 3; ++i)
    TW_RETURN_IF_ERROR(executor->Execute(spec, {tasks.front()}).front().samples.status());
  const auto load_end = std::chrono::steady_clock::now();

  std::cout << "ready" << std::endl;
  std::string line;
  std::getline(std::cin, line);
  const auto start = std::chrono::steady_clock::now();
  double engine_seconds = 0;
  const size_t count = tasks.size();
  for (TileTask& task : tasks) {
    const std::vector<TileOutcome> outcomes = executor->Execute(spec, {std::move(task)});
    TW_RETURN_IF_ERROR(outcomes.front().samples.status());
    engine_seconds += outcomes.front().cost.engine_seconds();
  }
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  std::printf(
      "{\"tiles\": %zu, \"seconds\": %.4f, \"engine_seconds\": %.4f, \"load_seconds\": %.4f}\n",
      count, wall.count(), engine_seconds,
      std::chrono::duration<double>(load_end - load_start).count());
  return absl::OkStatus();
}

}  // namespace
}  // namespace tilewright

int main(int argc, char** argv) {
  tilewright::TuneMalloc();
  if (argc != 8) {
    std::fprintf(stderr, "usage: engine_reference MODELS MODEL IMAGE TILE HALO FIRST STEP\n");
    return 2;
  }
  absl::Status status = tilewright::StartImageLibrary(argv[0]);
  if (status.ok()) {
    status = tilewright::Run({argv[1], argv[2], argv[3], std::atoll(argv[4]), std::atoll(argv[5]),
                              std::atoll(argv[6]), std::atoll(argv[7])});
  }
  if (!status.ok())
    std::fprintf(stderr, "engine_reference: %s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
