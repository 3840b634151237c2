// Scheduling and transport through the real shells on real gRPC streams between two processes,
// without pictures:
//
//   stream_bench null TILES MODELS      tiles with empty bodies: core, shell, control and data
//                                       streams
//   stream_bench tiles TILES MODELS     results of 1.5 MiB inline, beside a bare ByteBuffer stream
//                                       of the same messages
//   stream_bench segments TILES MODELS  results of 1.5 MiB in shared memory, beside the same
//                                       inline and beside memcpy
//
// Prints one JSON object. For one core start it under `taskset -c 0`.

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "coordinator/models/repository.h"
#include "coordinator/service/clock.h"
#include "coordinator/service/dispatcher.h"
#include "coordinator/service/worker_service.h"
#include "proto/wire/channel.h"
#include "proto/wire/host_id.h"
#include "tests/bench/null_job.h"
#include "worker/device/malloc_tuning.h"
#include "worker/link/worker_link.h"

namespace tilewright {
namespace {

constexpr size_t kResultBytes = 512 * 1024 * 3;

double CpuSeconds(int who) {
  rusage usage;
  getrusage(who, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

int Fail(const std::string& what, const absl::Status& status) {
  std::fprintf(stderr, "stream_bench: %s: %s\n", what.c_str(),
               std::string(status.message()).c_str());
  return 1;
}

// --- The worker's process.

int RunWorker(int port, size_t result_bytes, bool shared_memory, const std::string& cache) {
  NullExecutor executor(result_bytes);
  LinkOptions options;
  options.coordinator = absl::StrCat("127.0.0.1:", port);
  options.worker = "null";
  options.incarnation = "1";
  options.capabilities.add_engines("builtin");
  options.capabilities.add_dtypes("fp32");
  options.capabilities.set_memory_total_bytes(uint64_t{1} << 40);
  options.capabilities.set_probe_flops(1e12);
  options.capabilities.set_environment_key("null");
  options.cache_folder = cache;
  options.shared_memory = shared_memory;
  auto link = WorkerLink::Create(std::move(options), &executor);
  if (!link.ok()) return Fail("the worker", link.status());
  const absl::Status status = (*link)->Run();  // until it is killed
  return status.ok() ? 0 : Fail("the worker", status);
}

// Sends `count` messages of one result each on a stream of its own, as fast as it takes them.
class BareSender : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  BareSender(grpc::GenericStub& stub, int64_t count) : left_(count) {
    stub.PrepareBidiStreamingCall(&context_, "/tilewright.bench.Bare/Send", grpc::StubOptions(),
                                  this);
    StartCall();
    Send();
  }
  void OnWriteDone(bool ok) override {
    message_.Clear();
    if (ok && left_ > 0) return Send();
    StartWritesDone();
  }
  void OnDone(const grpc::Status& status) override {
    status_ = status;
    done_.Notify();
  }
  grpc::Status Wait() {
    done_.WaitForNotification();
    return status_;
  }

 private:
  void Send() {
    --left_;
    auto* payload = new std::vector<std::byte>(kResultBytes);
    const grpc::Slice slice(
        payload->data(), payload->size(),
        [](void* owner) { delete static_cast<std::vector<std::byte>*>(owner); }, payload);
    message_ = grpc::ByteBuffer(&slice, 1);
    StartWrite(&message_);
  }

  grpc::ClientContext context_;
  grpc::ByteBuffer message_;
  int64_t left_;
  grpc::Status status_;
  absl::Notification done_;
};

int RunBareSender(int port, int64_t count) {
  const std::string address = absl::StrCat("127.0.0.1:", port);
  grpc::GenericStub stub(
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(),
                                ChannelArgumentsFor(address, ChannelKind::kData)));
  BareSender sender(stub, count);
  const grpc::Status status = sender.Wait();
  return status.ok() ? 0 : Fail("the bare stream", absl::InternalError(status.error_message()));
}

// --- The coordinator's process.

// Reads messages, gathers each into one buffer as any receiver must, and drops it.
class BareReceiver : public grpc::ServerGenericBidiReactor {
 public:
  BareReceiver() { StartRead(&message_); }
  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    std::vector<grpc::Slice> slices;
    if (!message_.Dump(&slices).ok())
      return Finish(grpc::Status(grpc::StatusCode::INTERNAL, "dump"));
    size_t at = 0;
    buffer_.resize(message_.Length());
    for (const grpc::Slice& slice : slices) {
      std::memcpy(buffer_.data() + at, slice.begin(), slice.size());
      at += slice.size();
    }
    message_.Clear();
    StartRead(&message_);
  }
  void OnDone() override { delete this; }

 private:
  grpc::ByteBuffer message_;
  std::vector<char> buffer_;
};

class BareService : public grpc::CallbackGenericService {
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext*) override {
    return new BareReceiver;
  }
};

v1::StageSpec NullStage(const RepositoryModel& model, uint32_t batch) {
  v1::StageSpec stage;
  stage.set_job("jobs/null");
  stage.set_generation(1);
  stage.set_model(model.model.name());
  stage.set_model_digest(model.model.digest());
  stage.set_plan_digest("0123456789abcdef");
  stage.set_input_channels(3);
  stage.set_input_sample(v1::SAMPLE_TYPE_U8);
  stage.set_output_channels(3);
  stage.set_output_sample(v1::SAMPLE_TYPE_U8);
  stage.set_scale_p(1);
  stage.set_scale_q(1);
  stage.set_dtype("fp32");
  stage.set_batch(batch);
  return stage;
}

// A forked process that waits for a port on its pipe before it touches gRPC.
struct Child {
  pid_t pid = -1;
  int port_pipe = -1;
};

template <typename Body>
Child Fork(Body body) {
  int pipes[2];
  if (pipe(pipes) != 0) std::abort();
  const pid_t pid = fork();
  if (pid < 0) std::abort();
  if (pid == 0) {
    close(pipes[1]);
    int port = 0;
    if (read(pipes[0], &port, sizeof port) != sizeof port) std::_Exit(1);
    std::_Exit(body(port));
  }
  close(pipes[0]);
  return {pid, pipes[1]};
}

void Tell(const Child& child, int port) {
  if (write(child.port_pipe, &port, sizeof port) != sizeof port) std::abort();
}

struct MemcpyFigures {
  double bytes_per_second = 0;
  double cpu_seconds_per_gigabyte = 0;
};

// One thread copies results between two rings of them which no cache holds.
MemcpyFigures RunMemcpy(int64_t results) {
  constexpr size_t kRing = 64;
  const std::vector<char> from(kRing * kResultBytes, 1);
  std::vector<char> to(kRing * kResultBytes, 2);
  const double cpu_before = CpuSeconds(RUSAGE_SELF);
  const auto start = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < results; ++i) {
    const size_t at = static_cast<size_t>(i) % kRing * kResultBytes;
    std::memcpy(to.data() + at, from.data() + at, kResultBytes);
  }
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  const double bytes = static_cast<double>(results) * static_cast<double>(kResultBytes);
  return {bytes / wall.count(), (CpuSeconds(RUSAGE_SELF) - cpu_before) / bytes * 1e9};
}

double RunBare(const Child& bare, int port, int64_t tiles) {
  const auto start = std::chrono::steady_clock::now();
  Tell(bare, port);
  int status = 0;
  waitpid(bare.pid, &status, 0);
  if (status != 0) std::abort();
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  return static_cast<double>(tiles) * static_cast<double>(kResultBytes) / wall.count();
}

struct JobFigures {
  double seconds = 0;  // from the first grant to the last accepted tile
  double bytes = 0;    // of results
  double coordinator_cpu_seconds = 0;
  double worker_cpu_seconds = 0;  // its start included
  double slot_misses = 0;
};

// Lets the worker serve one job and kills it.
absl::StatusOr<JobFigures> RunJob(Dispatcher& dispatcher, const Child& worker, int port,
                                  const v1::StageSpec& stage, int64_t tiles, size_t result_bytes) {
  const auto wait = [&dispatcher](size_t workers) {
    while (dispatcher.ListWorkers().size() != workers) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  };
  wait(0);
  Tell(worker, port);
  wait(1);
  const auto job = std::make_shared<NullJob>(stage);
  JobSpec spec;
  spec.name = stage.job();
  spec.tile_count = tiles;
  spec.plan_digest = stage.plan_digest();
  spec.model_digest = stage.model_digest();
  spec.model_name = "identity";
  spec.engine = "builtin";
  spec.output_bytes = static_cast<int64_t>(result_bytes);
  spec.flops_per_tile = 1;
  JobFigures figures;
  const double cpu_before = CpuSeconds(RUSAGE_SELF);
  const absl::Status submitted = dispatcher.Submit(spec, job);
  if (!submitted.ok()) return submitted;
  const JobView view = job->Wait();
  figures.coordinator_cpu_seconds = CpuSeconds(RUSAGE_SELF) - cpu_before;
  if (!job->status().ok()) return job->status();
  figures.seconds = absl::ToDoubleSeconds(*view.last_accept - *view.first_grant);
  figures.bytes = static_cast<double>(job->bytes());
  figures.slot_misses = static_cast<double>(dispatcher.ListWorkers()[0].slot_misses());
  const double children_before = CpuSeconds(RUSAGE_CHILDREN);
  kill(worker.pid, SIGKILL);
  waitpid(worker.pid, nullptr, 0);
  figures.worker_cpu_seconds = CpuSeconds(RUSAGE_CHILDREN) - children_before;
  return figures;
}

double CpuPerGigabyte(const JobFigures& figures) {
  return (figures.coordinator_cpu_seconds + figures.worker_cpu_seconds) / figures.bytes * 1e9;
}

enum class Mode { kNull, kTiles, kSegments };

int Run(Mode mode, int64_t tiles, const std::string& models) {
  char cache[] = "/tmp/stream_bench.XXXXXX";
  if (mkdtemp(cache) == nullptr) return 1;
  const size_t result_bytes = mode == Mode::kNull ? 0 : kResultBytes;
  // All processes are forked before gRPC starts.
  const auto fork_worker = [&](bool shared_memory) {
    return Fork([&, shared_memory](int port) {
      return RunWorker(port, result_bytes, shared_memory, cache);
    });
  };
  const Child worker = fork_worker(false);
  const Child sharing = mode == Mode::kSegments ? fork_worker(true) : Child();
  const Child bare =
      mode == Mode::kTiles ? Fork([&](int port) { return RunBareSender(port, tiles); }) : Child();

  const absl::StatusOr<ModelRepository> repository = ModelRepository::Load(models);
  if (!repository.ok()) return Fail("the models", repository.status());
  const absl::StatusOr<const RepositoryModel*> model = repository->Find("identity");
  if (!model.ok()) return Fail("the models", model.status());
  const SteadyClock clock;
  DispatcherOptions options;
  options.host_id = HostId();
  Dispatcher dispatcher(options, clock);
  ThreadPool io(2, 64);
  const std::unique_ptr<grpc::Service> service = CreateWorkerService(dispatcher, *repository, io);
  BareService bare_service;
  grpc::ServerBuilder builder;
  int port = 0;
  const absl::Status configured = ConfigureServer("127.0.0.1:0", false, builder, &port);
  if (!configured.ok()) return Fail("the server", configured);
  builder.RegisterService(service.get());
  builder.RegisterCallbackGenericService(&bare_service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();

  const double bare_rate = mode == Mode::kTiles ? RunBare(bare, port, tiles) : 0;
  v1::StageSpec stage = NullStage(**model, mode == Mode::kNull ? 64 : 1);
  const absl::StatusOr<JobFigures> inlined =
      RunJob(dispatcher, worker, port, stage, tiles, result_bytes);
  if (!inlined.ok()) return Fail("the job", inlined.status());
  absl::StatusOr<JobFigures> shared = JobFigures();
  MemcpyFigures memcpy_figures;
  if (mode == Mode::kSegments) {
    stage.set_job("jobs/null2");
    shared = RunJob(dispatcher, sharing, port, stage, tiles, result_bytes);
    if (!shared.ok()) return Fail("the job", shared.status());
    memcpy_figures = RunMemcpy(tiles);
  }
  dispatcher.Shutdown();
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
  io.Stop();
  if (std::system(absl::StrCat("rm -rf ", cache).c_str()) != 0) return 1;

  const double rate = inlined->bytes / inlined->seconds;
  switch (mode) {
    case Mode::kNull:
      std::printf(
          "{\"bench\": \"null_tiles\", \"tiles\": %lld, \"seconds\": %.3f, "
          "\"tiles_per_second\": %.0f, \"coordinator_cpu_us_per_tile\": %.2f, \"goal\": "
          "50000}\n",
          static_cast<long long>(tiles), inlined->seconds,
          static_cast<double>(tiles) / inlined->seconds,
          inlined->coordinator_cpu_seconds / static_cast<double>(tiles) * 1e6);
      break;
    case Mode::kTiles:
      std::printf(
          "{\"bench\": \"transport\", \"tiles\": %lld, \"bytes_per_second\": %.0f, "
          "\"bare_bytes_per_second\": %.0f, \"ratio\": %.3f, \"goal\": 0.9}\n",
          static_cast<long long>(tiles), rate, bare_rate, rate / bare_rate);
      break;
    case Mode::kSegments: {
      const double shared_rate = shared->bytes / shared->seconds;
      std::printf(
          "{\"bench\": \"segments\", \"tiles\": %lld, \"bytes_per_second\": %.0f, "
          "\"inline_bytes_per_second\": %.0f, \"memcpy_bytes_per_second\": %.0f, "
          "\"cpu_seconds_per_gigabyte\": %.3f, \"inline_cpu_seconds_per_gigabyte\": %.3f, "
          "\"memcpy_cpu_seconds_per_gigabyte\": %.3f, "
          "\"missed_slots\": %.4f, \"times_inline\": %.2f, \"ratio\": %.3f, \"goal\": 0.7}\n",
          static_cast<long long>(tiles), shared_rate, rate, memcpy_figures.bytes_per_second,
          CpuPerGigabyte(*shared), CpuPerGigabyte(*inlined),
          memcpy_figures.cpu_seconds_per_gigabyte, shared->slot_misses / static_cast<double>(tiles),
          shared_rate / rate, shared_rate / memcpy_figures.bytes_per_second);
      break;
    }
  }
  return 0;
}

}  // namespace
}  // namespace tilewright

int main(int argc, char** argv) {
  tilewright::TuneMalloc();
  spdlog::set_level(spdlog::level::warn);
  const std::map<std::string, tilewright::Mode> modes = {{"null", tilewright::Mode::kNull},
                                                         {"tiles", tilewright::Mode::kTiles},
                                                         {"segments", tilewright::Mode::kSegments}};
  const auto mode = argc == 4 ? modes.find(argv[1]) : modes.end();
  if (mode == modes.end()) {
    std::fprintf(stderr, "usage: stream_bench null|tiles|segments TILES MODELS\n");
    return 2;
  }
  return tilewright::Run(mode->second, std::atoll(argv[2]), argv[3]);
}
