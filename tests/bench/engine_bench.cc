// One engine in one process: batches of noise through the worker's executor, from memory, results
// thrown away. --help lists what can be chosen.
//
// Prints "ready" once the model is warm, waits for a line on stdin, computes, prints one JSON
// object. CPU seconds stay meaningful on a machine that others use.

#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "proto/base/status_macros.h"
#include "proto/wire/model_digest.h"
#include "proto/wire/noise.h"
#include "worker/device/malloc_tuning.h"
#include "worker/engine/engine.h"
#include "worker/engine/local_model.h"
#include "worker/executor/checking_executor.h"
#include "worker/executor/core_executor.h"
#include "worker/executor/timing_executor.h"

namespace tilewright {
namespace {

struct Arguments {
  std::string engine = "torch", folder, dtype = "fp32", device = "cpu";
  int tile = 128, threads = 1, batches = 8, batch = 1;
  bool plain = false, graphs = false;
};

v1::StageSpec SpecOf(const Arguments& arguments, const LocalModel& model,
                     const std::string& dtype) {
  const auto side = static_cast<uint32_t>(arguments.tile);
  v1::StageSpec spec;
  spec.set_job("jobs/bench");
  spec.set_model_digest(model.digest);
  spec.set_tile_width(side);
  spec.set_tile_height(side);
  spec.set_input_channels(3);
  spec.set_output_channels(3);
  spec.set_input_sample(v1::SAMPLE_TYPE_U8);
  spec.set_output_sample(v1::SAMPLE_TYPE_U8);
  spec.set_scale_p(model.manifest.scale_p());
  spec.set_scale_q(1);
  spec.set_dtype(dtype);
  spec.set_batch(static_cast<uint32_t>(arguments.batch));
  spec.set_image_width(side);
  spec.set_image_height(side);
  return spec;
}

double CpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

absl::StatusOr<std::unique_ptr<Engine>> CreateEngine(const Arguments& arguments) {
  if (arguments.engine == "openvino") return CreateOpenVinoEngine({"CPU", arguments.threads});
  TorchOptions options;
  options.device = arguments.device;
  options.threads = arguments.threads;
  options.freeze = !arguments.plain;
  return CreateTorchEngine(options);
}

std::vector<TileTask> Batch(const Arguments& arguments, int64_t scale, uint64_t number) {
  std::vector<TileTask> tasks(static_cast<size_t>(arguments.batch));
  for (TileTask& task : tasks) {
    task.index = number * static_cast<uint64_t>(arguments.batch) +
                 static_cast<uint64_t>(&task - tasks.data());
    task.input = {0, 0, arguments.tile, arguments.tile};
    task.contribution = {0, 0, arguments.tile * scale, arguments.tile * scale};
    task.samples.resize(static_cast<size_t>(3 * arguments.tile * arguments.tile));
    FillNoise(task.index, SampleType::kU8, absl::MakeSpan(task.samples));
  }
  return tasks;
}

// Of the 8-bit results in the dtype against those in fp32, in dB; infinite if they are the same.
absl::StatusOr<double> Psnr(Executor& executor, const v1::StageSpec& spec,
                            const v1::StageSpec& reference, const std::vector<TileTask>& tasks) {
  const auto outcomes = executor.Execute(spec, tasks);
  const auto references = executor.Execute(reference, tasks);
  double squares = 0;
  double samples = 0;
  for (size_t i = 0; i < tasks.size(); ++i) {
    TW_RETURN_IF_ERROR(outcomes[i].samples.status());
    TW_RETURN_IF_ERROR(references[i].samples.status());
    for (size_t k = 0; k < outcomes[i].samples->size(); ++k) {
      const double difference = std::to_integer<int>(outcomes[i].samples->bytes()[k]) -
                                std::to_integer<int>(references[i].samples->bytes()[k]);
      squares += difference * difference;
    }
    samples += static_cast<double>(outcomes[i].samples->size());
  }
  return 10 * std::log10(255.0 * 255.0 * samples / squares);
}

absl::Status Run(const Arguments& arguments) {
  TW_ASSIGN_OR_RETURN(const std::string digest, DigestModelFolder(arguments.folder));
  TW_ASSIGN_OR_RETURN(LocalModel model, OpenLocalModel(arguments.folder, digest));
  model.manifest.set_cuda_graph(arguments.graphs);
  TW_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, CreateEngine(arguments));
  const std::vector<std::string> dtypes = engine->ExamineDevice().dtypes;
  if (std::find(dtypes.begin(), dtypes.end(), arguments.dtype) == dtypes.end()) {
    return absl::UnimplementedError(absl::StrCat("the engine ", arguments.engine,
                                                 " does not offer ", arguments.dtype, " here"));
  }
  std::vector<std::unique_ptr<Engine>> engines;
  engines.push_back(std::move(engine));
  const std::unique_ptr<Executor> executor =
      CreateTimingExecutor(CreateCheckingExecutor(CreateCoreExecutor(std::move(engines))));
  const v1::StageSpec spec = SpecOf(arguments, model, arguments.dtype);
  const auto scale = static_cast<int64_t>(spec.scale_p());
  double psnr = INFINITY;
  if (arguments.dtype != "fp32") {
    const v1::StageSpec reference = SpecOf(arguments, model, "fp32");
    TW_RETURN_IF_ERROR(executor->Prepare(spec, model, {}));
    TW_RETURN_IF_ERROR(executor->Prepare(reference, model, {}));
    TW_ASSIGN_OR_RETURN(psnr, Psnr(*executor, spec, reference, Batch(arguments, scale, 0)));
  }
  TW_RETURN_IF_ERROR(executor->Prepare(spec, model, {}));
  constexpr uint64_t kWarmUps = 4;  // a graph is recorded in the third run
  std::string steps;
  for (uint64_t i = 0; i < kWarmUps; ++i) {
    const auto outcomes = executor->Execute(spec, Batch(arguments, scale, i));
    TW_RETURN_IF_ERROR(outcomes.front().samples.status());
    steps = absl::StrJoin(outcomes.front().cost.steps(), "; ");
  }
  constexpr uint64_t kSeed = 1;
  TW_ASSIGN_OR_RETURN(const Executor::CanaryOutcome canary, executor->RunCanary(spec, kSeed));
  std::cout << "ready" << std::endl;
  std::string line;
  std::getline(std::cin, line);
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  std::vector<double> seconds;
  double in_engine = 0;
  double on_device = 0;
  const double cpu_before = CpuSeconds();
  const auto start = Clock::now();
  auto landed = start;
  const auto land = [&](InFlight<Executor::Outcomes> batch) -> absl::Status {
    for (const TileOutcome& outcome : std::move(batch).Land()) {
      TW_RETURN_IF_ERROR(outcome.samples.status());
      in_engine += outcome.cost.engine_seconds();
      on_device += outcome.cost.device_seconds();
    }
    seconds.push_back(since(landed) / arguments.batch);
    landed = Clock::now();
    return absl::OkStatus();
  };
  // As the worker does it: on a device that goes on by itself the next batch begins before the one
  // before it lands.
  std::optional<InFlight<Executor::Outcomes>> in_flight;
  const auto land_in_flight = [&]() -> absl::Status {
    if (!in_flight.has_value()) return absl::OkStatus();
    const absl::Status status = land(*std::move(in_flight));
    in_flight.reset();
    return status;
  };
  for (int i = 0; i < arguments.batches; ++i) {
    auto next = executor->Begin(spec, Batch(arguments, scale, static_cast<uint64_t>(i)));
    TW_RETURN_IF_ERROR(land_in_flight());
    in_flight = std::move(next);
    if (!in_flight->overlaps()) TW_RETURN_IF_ERROR(land_in_flight());
  }
  TW_RETURN_IF_ERROR(land_in_flight());
  const double wall = since(start);
  const double cpu = CpuSeconds() - cpu_before;
  const int tiles = arguments.batches * arguments.batch;
  std::sort(seconds.begin(), seconds.end());
  std::cout << absl::StrFormat(
      "{\"engine\": \"%s\", \"device\": \"%s\", \"dtype\": \"%s\", \"tile\": %d, \"batch\": %d, "
      "\"graphs\": %s, \"threads\": %d, \"tiles\": %d, \"seconds\": %.4f, \"median_seconds\": "
      "%.4f, "
      "\"cpu_seconds_per_tile\": %.4f, \"engine_share\": %.4f, \"device_share\": %.4f, "
      "\"canary\": \"%s\", \"psnr\": %s, \"steps\": \"%s\"}\n",
      arguments.engine, arguments.device, arguments.dtype, arguments.tile, arguments.batch,
      arguments.graphs ? "true" : "false", arguments.threads, tiles, wall,
      seconds[seconds.size() / 2], cpu / tiles, in_engine / wall, on_device / wall, canary.digest,
      std::isfinite(psnr) ? absl::StrFormat("%.2f", psnr) : "null",
      absl::StrReplaceAll(steps, {{"\\", "/"}, {"\"", "'"}, {"\n", " "}}));
  return absl::OkStatus();
}

}  // namespace
}  // namespace tilewright

int main(int argc, char** argv) {
  tilewright::TuneMalloc();
  tilewright::Arguments arguments;
  CLI::App app("Measures one engine in one process.", "engine_bench");
  app.add_option("--engine", arguments.engine, "torch or openvino");
  app.add_option("--model", arguments.folder, "Folder of the model")->required();
  app.add_option("--dtype", arguments.dtype);
  app.add_option("--device", arguments.device, "cpu or cuda:K; torch only");
  app.add_option("--tile", arguments.tile, "Side, pixels");
  app.add_option("--batch", arguments.batch, "Tiles executed at once");
  app.add_option("--threads", arguments.threads, "Of a CPU");
  app.add_option("--batches", arguments.batches, "How many are measured");
  app.add_flag("--plain", arguments.plain, "Run TorchScript as it was saved, not frozen");
  app.add_flag("--graphs", arguments.graphs, "Ask for CUDA graphs whatever the manifest says");
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = tilewright::Run(arguments);
  if (!status.ok()) std::cerr << "engine_bench: " << status.message() << "\n";
  return status.ok() ? 0 : 1;
}
