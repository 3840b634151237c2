// One engine in one process: tiles of noise through the worker's executor, from memory.
//
//   engine_bench ENGINE MODEL_FOLDER DTYPE TILE THREADS TILES
//
// Prints "ready" once the model is warm, waits for a line on stdin, computes, prints one JSON
// object. CPU seconds stay meaningful on a machine that others use.

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
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
  std::string engine, folder, dtype;
  int tile = 0, threads = 1, tiles = 1;
};

v1::StageSpec SpecOf(const Arguments& arguments, const LocalModel& model) {
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
  spec.set_dtype(arguments.dtype);
  spec.set_batch(1);
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

absl::Status Run(const Arguments& arguments) {
  TW_ASSIGN_OR_RETURN(const std::string digest, DigestModelFolder(arguments.folder));
  TW_ASSIGN_OR_RETURN(const LocalModel model, OpenLocalModel(arguments.folder, digest));
  absl::StatusOr<std::unique_ptr<Engine>> engine =
      arguments.engine == "openvino" ? CreateOpenVinoEngine({"CPU", arguments.threads})
                                     : CreateTorchEngine({"cpu", arguments.threads});
  TW_RETURN_IF_ERROR(engine.status());
  const std::vector<std::string> dtypes = (*engine)->ExamineDevice().dtypes;
  if (std::find(dtypes.begin(), dtypes.end(), arguments.dtype) == dtypes.end()) {
    return absl::UnimplementedError(absl::StrCat("the engine ", arguments.engine,
                                                 " does not offer ", arguments.dtype, " here"));
  }
  std::vector<std::unique_ptr<Engine>> engines;
  engines.push_back(*std::move(engine));
  const std::unique_ptr<Executor> executor =
      CreateTimingExecutor(CreateCheckingExecutor(CreateCoreExecutor(std::move(engines))));
  const v1::StageSpec spec = SpecOf(arguments, model);
  TW_RETURN_IF_ERROR(executor->Prepare(spec, model, {}));
  const auto scale = static_cast<int64_t>(spec.scale_p());
  const auto task = [&](uint64_t index) {
    TileTask made;
    made.index = index;
    made.input = {0, 0, arguments.tile, arguments.tile};
    made.contribution = {0, 0, arguments.tile * scale, arguments.tile * scale};
    made.samples.resize(static_cast<size_t>(3 * arguments.tile * arguments.tile));
    FillNoise(index, SampleType::kU8, absl::MakeSpan(made.samples));
    return made;
  };
  for (uint64_t i = 0; i < 2; ++i) {
    TW_RETURN_IF_ERROR(executor->Execute(spec, {task(i)}).front().samples.status());
  }
  std::cout << "ready" << std::endl;
  std::string line;
  std::getline(std::cin, line);
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  std::vector<double> seconds;
  double in_engine = 0;
  const double cpu_before = CpuSeconds();
  const auto start = Clock::now();
  for (int i = 0; i < arguments.tiles; ++i) {
    const auto tile_start = Clock::now();
    const auto outcomes = executor->Execute(spec, {task(static_cast<uint64_t>(i))});
    TW_RETURN_IF_ERROR(outcomes.front().samples.status());
    in_engine += outcomes.front().cost.engine_seconds();
    seconds.push_back(since(tile_start));
  }
  const double wall = since(start);
  const double cpu = CpuSeconds() - cpu_before;
  std::sort(seconds.begin(), seconds.end());
  std::printf(
      "{\"engine\": \"%s\", \"dtype\": \"%s\", \"tile\": %d, \"threads\": %d, \"tiles\": %d, "
      "\"seconds\": %.4f, \"median_seconds\": %.4f, \"cpu_seconds_per_tile\": %.4f, "
      "\"engine_share\": %.4f}\n",
      arguments.engine.c_str(), arguments.dtype.c_str(), arguments.tile, arguments.threads,
      arguments.tiles, wall, seconds[seconds.size() / 2], cpu / arguments.tiles, in_engine / wall);
  return absl::OkStatus();
}

}  // namespace
}  // namespace tilewright

int main(int argc, char** argv) {
  tilewright::TuneMalloc();
  if (argc != 7) {
    std::fprintf(stderr, "usage: engine_bench ENGINE MODEL_FOLDER DTYPE TILE THREADS TILES\n");
    return 2;
  }
  const absl::Status status = tilewright::Run(
      {argv[1], argv[2], argv[3], std::atoi(argv[4]), std::atoi(argv[5]), std::atoi(argv[6])});
  if (!status.ok())
    std::fprintf(stderr, "engine_bench: %s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
