#include "coordinator/service/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/jobs/publish_note.h"
#include "coordinator/jobs/roots.h"
#include "coordinator/jobs/state_folder.h"
#include "coordinator/models/repository.h"
#include "coordinator/service/clock.h"
#include "coordinator/service/dispatcher.h"
#include "coordinator/service/job_manager.h"
#include "coordinator/service/list_services.h"
#include "coordinator/service/render_service.h"
#include "coordinator/service/thread_pool.h"
#include "coordinator/service/worker_service.h"
#include "proto/base/status_macros.h"
#include "proto/wire/channel.h"
#include "proto/wire/host_id.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

constexpr int kIoThreads = 4;
constexpr size_t kIoQueueMax = 1024;
// After it, streams that are still open are cut.
constexpr std::chrono::milliseconds kDrain{500};

int Cores() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

}  // namespace

class Server::Impl {
 public:
  Impl(const ServerOptions& options, std::unique_ptr<StateFolder> state, ModelRepository models,
       Roots roots, const DispatcherOptions& dispatcher_options,
       const JobManagerOptions& job_options)
      : options_(options),
        state_(std::move(state)),
        models_(std::move(models)),
        roots_(std::move(roots)),
        dispatcher_(dispatcher_options, clock_),
        jobs_(job_options, models_, roots_, dispatcher_, clock_),
        worker_service_(CreateWorkerService(dispatcher_, models_, io_)),
        render_service_(CreateRenderService(jobs_, io_)),
        model_service_(CreateModelService(models_)),
        pool_service_(CreatePoolService(dispatcher_)) {}

  ~Impl() { Shutdown(); }

  absl::Status Serve() {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    TW_RETURN_IF_ERROR(ConfigureServer(options_.listen, options_.insecure, builder, &port_));
    builder.RegisterService(worker_service_.get());
    builder.RegisterService(render_service_.get());
    builder.RegisterService(model_service_.get());
    builder.RegisterService(pool_service_.get());
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port_ == 0) {
      return WithReason(absl::UnavailableError(absl::StrCat(
                            "cannot listen on ", options_.listen,
                            ": another program has the port, or the address is not this "
                            "machine's; give another with --listen")),
                        "CANNOT_LISTEN");
    }
    if (options_.port_file.empty()) return absl::OkStatus();
    return Annotate(WriteFileDurably(options_.port_file, absl::StrCat(port_, "\n")),
                    "writing the port file");
  }

  void Shutdown() {
    if (down_) return;
    down_ = true;
    if (!options_.port_file.empty() && port_ != 0) unlink(options_.port_file.c_str());
    jobs_.StopPreparing();
    dispatcher_.Shutdown();
    jobs_.watches().Stop();
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now() + kDrain);
    io_.Stop();
  }

  int port() const { return port_; }

 private:
  const ServerOptions options_;
  const SteadyClock clock_;
  const std::unique_ptr<StateFolder> state_;
  const ModelRepository models_;
  const Roots roots_;
  ThreadPool io_{kIoThreads, kIoQueueMax};
  Dispatcher dispatcher_;
  JobManager jobs_;
  const std::unique_ptr<grpc::Service> worker_service_;
  const std::unique_ptr<grpc::Service> render_service_;
  const std::unique_ptr<grpc::Service> model_service_;
  const std::unique_ptr<grpc::Service> pool_service_;
  int port_ = 0;
  bool down_ = false;
  std::unique_ptr<grpc::Server> server_;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;
int Server::port() const { return impl_->port(); }
void Server::Shutdown() { impl_->Shutdown(); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options) {
  // Before anything is touched: an address that must not be served ends the start.
  TW_RETURN_IF_ERROR(CheckExposure(options.listen, options.insecure));
  TW_ASSIGN_OR_RETURN(ModelRepository models, ModelRepository::Load(options.models));
  std::vector<std::string> folders = options.roots;
  if (folders.empty() && IsLoopback(options.listen)) folders.push_back("/");
  TW_ASSIGN_OR_RETURN(Roots roots, Roots::Create(folders));
  if (!options.scratch.empty() && access(options.scratch.c_str(), W_OK | X_OK) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("the scratch folder '", options.scratch,
                     "' does not exist or cannot be written: create it, or name another"));
  }
  TW_ASSIGN_OR_RETURN(std::unique_ptr<StateFolder> state, StateFolder::Open(options.state_dir));

  DispatcherOptions dispatcher;
  dispatcher.schedule.worker_grace = options.worker_grace;
  dispatcher.schedule.quotas = options.quotas;
  dispatcher.schedule.default_quota = options.default_quota;
  TW_ASSIGN_OR_RETURN(dispatcher.epoch, state->RaiseEpoch());
  SettleNotes(state->publishing());
  dispatcher.build = options.build;
  dispatcher.host_id = HostId();
  dispatcher.shared_memory = options.shared_memory;
  dispatcher.inputs.threads = Cores();
  dispatcher.merges.threads = Cores();
  dispatcher.memory_bytes = options.memory_bytes;
  dispatcher.merges.queued_bytes_max = options.memory_bytes / 16;
  JobManagerOptions jobs;
  jobs.image_limits = options.image_limits;
  jobs.upload_limits.bytes_max = options.upload_bytes_max;
  jobs.uploads = state->uploads();
  jobs.downloads = state->downloads();
  jobs.publishing = state->publishing();
  jobs.export_program = options.export_program;
  jobs.encoder_threads = Cores();
  jobs.checkpoint_interval = options.checkpoint_interval;
  jobs.preparing_threads = options.preparing_threads;
  jobs.scratch = options.scratch.empty() ? state->scratch() : options.scratch;

  spdlog::info("epoch {}, {} models, state in {}", dispatcher.epoch, models.models().size(),
               state->path());
  std::unique_ptr<Server> server(new Server(std::make_unique<Impl>(
      options, std::move(state), std::move(models), std::move(roots), dispatcher, jobs)));
  TW_RETURN_IF_ERROR(server->impl_->Serve());
  return server;
}

}  // namespace tilewright
