// How fast a coordinator turns results into a file:
//
//   writer_bench picture FILE SIDE            makes the picture: RGB u8, tiled TIFF, uncompressed
//   writer_bench job FILE COMPRESSION MODELS  copies it by a job of the model "identity": the real
//                                             reader, dispatcher, merging and output file, and two
//                                             workers in this process, without streams
//   writer_bench libdeflate FILE              compresses its blocks as such a job does, with
//   nothing
//                                             else, on all cores
//
// Prints one JSON object. FILE.out is written and removed.

#include <libdeflate.h>
#include <malloc.h>
#include <spdlog/spdlog.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <climits>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "coordinator/image/image_reader.h"
#include "coordinator/image/output_file.h"
#include "coordinator/jobs/roots.h"
#include "coordinator/models/repository.h"
#include "coordinator/service/clock.h"
#include "coordinator/service/dispatcher.h"
#include "coordinator/service/job_manager.h"
#include "proto/base/status_macros.h"
#include "tests/bench/in_process_worker.h"

namespace tilewright {
namespace {

const int kCores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));

// Wall clock and processor time from its creation on.
class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  double cpu_seconds() const { return Cpu() - cpu_; }

 private:
  static double Cpu() {
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }

  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  const double cpu_ = Cpu();
};

void Print(const char* what, const Stopwatch& watch, int64_t pixels) {
  const double mpx = static_cast<double>(pixels) / 1e6;
  std::printf("{\"what\": \"%s\", \"mpx_per_second\": %.1f, \"cpu_ms_per_mpx\": %.2f}\n", what,
              mpx / watch.seconds(), watch.cpu_seconds() * 1e3 / mpx);
}

// Gradients with a noise of three bits, as a camera's.
absl::Status MakePicture(const std::string& path, int64_t side) {
  OutputOptions options;
  options.path = path;
  options.format = {{side, side}, 3, SampleType::kU8};
  options.encoding.compression = Compression::kNone;
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<OutputFile> file, OutputFile::Create(options));
  std::vector<std::byte> samples;
  uint32_t random = 1;
  for (int64_t row = 0; row < options.format.block_rows(); ++row) {
    for (int64_t column = 0; column < options.format.block_columns(); ++column) {
      const Rect rect = options.format.BlockRect(column, row);
      samples.clear();
      for (int64_t y = rect.y; y < rect.bottom(); ++y) {
        for (int64_t x = rect.x; x < rect.right(); ++x) {
          for (const int64_t level : {x / 3, y / 5, (x + y) / 7}) {
            random = random * 1664525 + 1013904223;
            samples.push_back(static_cast<std::byte>(level + (random >> 29)));
          }
        }
      }
      TW_RETURN_IF_ERROR(file->WriteBlock(column, row, samples));
    }
  }
  return file->Publish();
}

absl::Status RunJob(const std::string& picture, const std::string& compression,
                    const std::string& models) {
  char folder[] = "/tmp/writer_bench.XXXXXX";
  if (mkdtemp(folder) == nullptr) return absl::InternalError("mkdtemp failed");
  TW_ASSIGN_OR_RETURN(const ModelRepository repository, ModelRepository::Load(models));
  TW_ASSIGN_OR_RETURN(const Roots roots, Roots::Create({"/"}));
  const SteadyClock clock;
  // As Server sets them.
  DispatcherOptions options;
  options.inputs.threads = kCores;
  options.merges.threads = kCores;
  Dispatcher dispatcher(options, clock);
  JobManagerOptions job_options;
  job_options.uploads = job_options.downloads = job_options.scratch = folder;
  job_options.encoder_threads = kCores;
  JobManager jobs(job_options, repository, roots, dispatcher, clock);
  std::vector<std::shared_ptr<InProcessWorker>> workers;
  for (const char* name : {"one", "two"}) {
    TW_ASSIGN_OR_RETURN(workers.emplace_back(), InProcessWorker::Join(dispatcher, name));
  }

  v1::CreateJobRequest request;
  request.set_request_id("1");
  v1::RenderRequest& render = *request.mutable_render();
  render.set_input(absl::StrCat("file://", picture));
  render.set_output(absl::StrCat("file://", picture, ".out.tif"));
  render.set_overwrite(true);
  render.set_compression(compression);
  render.add_stages()->set_model("identity");
  const Stopwatch watch;
  TW_ASSIGN_OR_RETURN(const v1::Job job, jobs.Create(Principal(), request));
  TW_ASSIGN_OR_RETURN(const std::shared_ptr<JobRecord> record, jobs.Find(job.name()));
  while (!record->ended()) absl::SleepFor(absl::Milliseconds(1));
  const v1::Job ended = jobs.Snapshot(*record, false);
  if (ended.state() != v1::Job::STATE_SUCCEEDED) return absl::InternalError(ended.DebugString());
  Print(compression.c_str(), watch,
        static_cast<int64_t>(job.plan().output_width() * job.plan().output_height()));
  for (const auto& worker : workers) worker->Stop();
  dispatcher.Shutdown();
  std::filesystem::remove_all(folder);
  std::filesystem::remove(absl::StrCat(picture, ".out.tif"));
  return absl::OkStatus();
}

// The TIFF predictor, before the clock starts.
void Predict(std::vector<std::byte>& samples, int64_t row_bytes, int64_t channels) {
  for (size_t row = 0; row < samples.size(); row += static_cast<size_t>(row_bytes)) {
    for (int64_t i = row_bytes - 1; i >= channels; --i) {
      std::byte& sample = samples[row + static_cast<size_t>(i)];
      sample = static_cast<std::byte>(
          static_cast<int>(sample) -
          static_cast<int>(samples[row + static_cast<size_t>(i - channels)]));
    }
  }
}

absl::Status RunLibdeflate(const std::string& picture) {
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<ImageReader> reader,
                      ImageReader::Open(picture, ImageLimits()));
  const CanvasFormat format = {reader->info().size, reader->info().channels, SampleType::kU8};
  std::vector<std::vector<std::byte>> blocks;
  for (int64_t row = 0; row < format.block_rows(); ++row) {
    for (int64_t column = 0; column < format.block_columns(); ++column) {
      const Rect rect = format.BlockRect(column, row);
      std::vector<std::byte>& block =
          blocks.emplace_back(static_cast<size_t>(rect.area() * format.pixel_bytes()));
      TW_RETURN_IF_ERROR(reader->Read(rect, PadMode::kZero, absl::MakeSpan(block)));
      Predict(block, rect.width * format.pixel_bytes(), format.channels);
    }
  }
  std::atomic<size_t> next = 0;
  std::atomic<size_t> bytes = 0;
  const auto compress = [&] {
    libdeflate_compressor* const compressor = libdeflate_alloc_compressor(TiffEncoding().level);
    std::vector<std::byte> out(libdeflate_zlib_compress_bound(compressor, blocks[0].size()));
    for (size_t i = next++; i < blocks.size(); i = next++) {
      bytes += libdeflate_zlib_compress(compressor, blocks[i].data(), blocks[i].size(), out.data(),
                                        out.size());
    }
    libdeflate_free_compressor(compressor);
  };
  const Stopwatch watch;
  std::vector<std::thread> threads;
  for (int i = 0; i < kCores; ++i) threads.emplace_back(compress);
  for (std::thread& thread : threads) thread.join();
  Print("libdeflate", watch, format.size.area());
  return bytes > 0 ? absl::OkStatus() : absl::InternalError("nothing was compressed");
}

absl::Status Run(const std::vector<std::string>& arguments) {
  int64_t side = 0;
  if (arguments.size() == 3 && arguments[0] == "picture" && absl::SimpleAtoi(arguments[2], &side) &&
      side >= 1024) {
    return MakePicture(arguments[1], side);
  }
  if (arguments.size() == 4 && arguments[0] == "job") {
    return RunJob(arguments[1], arguments[2], arguments[3]);
  }
  if (arguments.size() == 2 && arguments[0] == "libdeflate") return RunLibdeflate(arguments[1]);
  return absl::InvalidArgumentError(
      "usage: writer_bench picture FILE SIDE | job FILE COMPRESSION MODELS | libdeflate FILE");
}

}  // namespace
}  // namespace tilewright

int main(int argc, char** argv) {
  // As the coordinator sets it: freed tiles are reused, not given back page by page.
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
  spdlog::set_level(spdlog::level::warn);
  absl::Status status = tilewright::StartImageLibrary(argv[0]);
  if (status.ok()) status = tilewright::Run({argv + 1, argv + argc});
  if (status.ok()) return 0;
  std::fprintf(stderr, "writer_bench: %s\n", std::string(status.message()).c_str());
  return 1;
}
