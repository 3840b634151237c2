// Scheduling and transport through the real shells on real gRPC streams between two processes,
// without pictures:
//
//   stream_bench null  TILES MODELS    tiles with empty bodies: core, shell, control and data
//   streams stream_bench tiles TILES MODELS    results of 1.5 MiB, beside a bare ByteBuffer stream
//   of the same messages
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
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "coordinator/models/repository.h"
#include "coordinator/service/clock.h"
#include "coordinator/service/dispatcher.h"
#include "coordinator/service/worker_service.h"
#include "proto/wire/channel.h"
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

int RunWorker(int port, size_t result_bytes, const std::string& cache) {
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

int Run(bool null_tiles, int64_t tiles, const std::string& models) {
  char cache[] = "/tmp/stream_bench.XXXXXX";
  if (mkdtemp(cache) == nullptr) return 1;
  const size_t result_bytes = null_tiles ? 0 : kResultBytes;
  const Child worker = Fork([&](int port) { return RunWorker(port, result_bytes, cache); });
  const Child bare = Fork([&](int port) { return RunBareSender(port, tiles); });

  const absl::StatusOr<ModelRepository> repository = ModelRepository::Load(models);
  if (!repository.ok()) return Fail("the models", repository.status());
  const absl::StatusOr<const RepositoryModel*> model = repository->Find("identity");
  if (!model.ok()) return Fail("the models", model.status());
  const SteadyClock clock;
  DispatcherOptions options;
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

  double bare_rate = 0;
  if (!null_tiles) {
    const auto start = std::chrono::steady_clock::now();
    Tell(bare, port);
    int status = 0;
    waitpid(bare.pid, &status, 0);
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
    if (status != 0) return 1;
    bare_rate = static_cast<double>(tiles) * static_cast<double>(kResultBytes) / wall.count();
  } else {
    kill(bare.pid, SIGKILL);
    waitpid(bare.pid, nullptr, 0);
  }

  Tell(worker, port);
  while (dispatcher.ListWorkers().empty())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const auto job = std::make_shared<NullJob>(NullStage(**model, null_tiles ? 64 : 1));
  JobSpec spec;
  spec.name = "jobs/null";
  spec.tile_count = tiles;
  spec.plan_digest = job->stage().plan_digest();
  spec.model_digest = job->stage().model_digest();
  spec.model_name = "identity";
  spec.engine = "builtin";
  spec.output_bytes = static_cast<int64_t>(result_bytes);
  spec.flops_per_tile = 1;
  const double cpu_before = CpuSeconds(RUSAGE_SELF);
  const absl::Status submitted = dispatcher.Submit(spec, job);
  if (!submitted.ok()) return Fail("the job", submitted);
  const JobView view = job->Wait();
  const double coordinator_cpu = CpuSeconds(RUSAGE_SELF) - cpu_before;
  if (!job->status().ok()) return Fail("the job", job->status());
  const double seconds = absl::ToDoubleSeconds(*view.last_accept - *view.first_grant);
  kill(worker.pid, SIGKILL);
  waitpid(worker.pid, nullptr, 0);
  dispatcher.Shutdown();
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
  io.Stop();
  if (std::system(absl::StrCat("rm -rf ", cache).c_str()) != 0) return 1;

  const double tile_rate = static_cast<double>(tiles) / seconds;
  if (null_tiles) {
    std::printf(
        "{\"bench\": \"null_tiles\", \"tiles\": %lld, \"seconds\": %.3f, \"tiles_per_second\": "
        "%.0f, "
        "\"coordinator_cpu_us_per_tile\": %.2f, \"goal\": 20000}\n",
        static_cast<long long>(tiles), seconds, tile_rate,
        coordinator_cpu / static_cast<double>(tiles) * 1e6);
  } else {
    const double rate = static_cast<double>(job->bytes()) / seconds;
    std::printf(
        "{\"bench\": \"transport\", \"tiles\": %lld, \"bytes_per_second\": %.0f, "
        "\"bare_bytes_per_second\": "
        "%.0f, \"ratio\": %.3f, \"goal\": 0.9}\n",
        static_cast<long long>(tiles), rate, bare_rate, rate / bare_rate);
  }
  return 0;
}

}  // namespace
}  // namespace tilewright

int main(int argc, char** argv) {
  tilewright::TuneMalloc();
  spdlog::set_level(spdlog::level::warn);
  if (argc != 4 || (std::strcmp(argv[1], "null") != 0 && std::strcmp(argv[1], "tiles") != 0)) {
    std::fprintf(stderr, "usage: stream_bench null|tiles TILES MODELS\n");
    return 2;
  }
  return tilewright::Run(std::strcmp(argv[1], "null") == 0, std::atoll(argv[2]), argv[3]);
}
