#include "tests/cluster/cluster.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "google/protobuf/util/json_util.h"
#include "grpcpp/client_context.h"
#include "gtest/gtest.h"
#include "proto/base/status_macros.h"
#include "proto/wire/channel.h"
#include "proto/wire/file_uri.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(10);

std::string Program(const std::string& name) { return absl::StrCat(TILEWRIGHT_BIN_DIR, "/", name); }

std::string WorkerProgram(const WorkerSetup& setup) {
  return Program(setup.engine_fault.empty() ? "tilewright-worker" : "tilewright-faulty-worker");
}

std::vector<std::string> EnvironmentOf(const WorkerSetup& setup) {
  std::vector<std::string> environment = setup.environment;
  if (!setup.link_fault.empty()) {
    environment.push_back(absl::StrCat("TILEWRIGHT_TEST_FAULT=", setup.link_fault));
  }
  if (!setup.engine_fault.empty()) {
    environment.push_back(absl::StrCat("TILEWRIGHT_TEST_ENGINE=", setup.engine_fault));
  }
  return environment;
}

bool HasEnded(const v1::Job& job) {
  return job.state() == v1::Job::STATE_SUCCEEDED || job.state() == v1::Job::STATE_FAILED ||
         job.state() == v1::Job::STATE_CANCELLED;
}

std::string StandingOf(const v1::Job& job) {
  return absl::StrCat(job.name(), " is ", v1::Job::State_Name(job.state()), " with ",
                      job.tiles_done(), " of ", job.plan().tiles(), " tiles, error '",
                      job.error().message(), "', events:\n", EventsOf(job));
}

absl::StatusOr<v1::FileFacts> FactsOf(const std::string& path) {
  struct stat file;
  if (stat(path.c_str(), &file) != 0) return absl::NotFoundError(path);
  v1::FileFacts facts;
  facts.set_device(file.st_dev);
  facts.set_inode(file.st_ino);
  facts.set_size(file.st_size);
  facts.set_mtime_ns(file.st_mtim.tv_sec * int64_t{1'000'000'000} + file.st_mtim.tv_nsec);
  return facts;
}

}  // namespace

std::string ReadFile(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

std::string EventsOf(const v1::Job& job) {
  std::string text;
  for (const v1::Event& event : job.events()) {
    absl::StrAppend(&text, "  ", event.seconds(), " s ", event.kind(), " tile ", event.tile(),
                    " worker '", event.worker(), "': ", event.text(), "\n");
  }
  return text;
}

std::optional<v1::Event> FindEvent(const v1::Job& job, const std::string& kind,
                                   const std::string& worker) {
  for (const v1::Event& event : job.events()) {
    if (event.kind() == kind && (worker.empty() || event.worker() == worker)) return event;
  }
  return std::nullopt;
}

absl::StatusOr<std::unique_ptr<Cluster>> Cluster::Start(const ClusterOptions& options) {
  auto cluster = std::unique_ptr<Cluster>(new Cluster);
  std::string pattern = absl::StrCat(testing::TempDir(), "/tilewright-XXXXXX");
  if (mkdtemp(pattern.data()) == nullptr)
    return absl::InternalError(absl::StrCat("cannot make ", pattern));
  cluster->folder_ = pattern;
  cluster->options_ = options;
  TW_RETURN_IF_ERROR(cluster->StartCoordinator("127.0.0.1:0"));
  return cluster;
}

absl::Status Cluster::RestartCoordinator(int signal) {
  coordinator_->Signal(signal);
  TW_RETURN_IF_ERROR(coordinator_->Wait(absl::Seconds(60)).status());
  return StartCoordinator(address_);
}

absl::Status Cluster::StartCoordinator(const std::string& listen) {
  const std::string port_file = Path("port");
  std::filesystem::remove(port_file);
  Command command;
  command.argv = {Program("tilewright-coordinator"),
                  "--listen",
                  listen,
                  "--port-file",
                  port_file,
                  "--state-dir",
                  Path("state"),
                  "--models",
                  options_.models.empty() ? absl::StrCat(TILEWRIGHT_SOURCE_DIR, "/deploy/models")
                                          : options_.models};
  command.argv.insert(command.argv.end(), options_.coordinator_flags.begin(),
                      options_.coordinator_flags.end());
  command.out_path = command.err_path = Path(absl::StrCat("coordinator-", logs_.size(), ".log"));
  logs_.push_back(command.out_path);
  TW_ASSIGN_OR_RETURN(coordinator_, Process::Start(command));
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  int port = 0;
  while (!absl::SimpleAtoi(absl::StripAsciiWhitespace(ReadFile(port_file)), &port)) {
    if (!coordinator_->Running() || absl::Now() > deadline) {
      return absl::UnavailableError(
          absl::StrCat("the coordinator does not serve; its log:\n", ReadFile(command.err_path)));
    }
    absl::SleepFor(kPoll);
  }
  address_ = absl::StrCat("127.0.0.1:", port);
  render_ = v1::RenderService::NewStub(Connect());
  pool_ = v1::PoolService::NewStub(Connect());
  return absl::OkStatus();
}

Cluster::~Cluster() {
  workers_.clear();
  if (coordinator_ != nullptr) {
    coordinator_->Signal(SIGTERM);
    coordinator_->Wait(absl::Seconds(5)).IgnoreError();
    coordinator_.reset();
  }
  if (testing::Test::HasFailure()) {
    for (const std::string& log : logs_) {
      const std::string text = ReadFile(log);
      std::cerr << "=== end of " << log << "\n"
                << text.substr(text.size() - std::min<size_t>(text.size(), 4000)) << "\n";
    }
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

absl::Status Cluster::AddWorker(const std::string& name, const std::string& fault) {
  return AddWorker(name, WorkerSetup{.link_fault = fault, .engine_fault = ""});
}

absl::Status Cluster::AddWorker(const std::string& name, const WorkerSetup& setup) {
  TW_RETURN_IF_ERROR(StartWorker(name, setup));
  return AwaitWorker(name, true, absl::Seconds(60));
}

absl::Status Cluster::StartWorker(const std::string& name, const WorkerSetup& setup) {
  Command command;
  command.argv = {WorkerProgram(setup), "--coordinator", address_,    "--name", name,
                  "--device",           "cpu",           "--threads", "1"};
  command.argv.insert(command.argv.end(), setup.flags.begin(), setup.flags.end());
  command.environment = EnvironmentOf(setup);
  command.out_path = command.err_path = Path(absl::StrCat("worker-", name, ".log"));
  logs_.push_back(command.out_path);
  TW_ASSIGN_OR_RETURN(workers_[name], Process::Start(command));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Process>> Cluster::StartSupervisor(
    const std::string& name, const WorkerSetup& setup, const std::vector<std::string>& flags) {
  Command command;
  command.argv = {Program("tilewright-supervisor"),
                  "--coordinator",
                  address_,
                  "--name",
                  name,
                  "--worker",
                  WorkerProgram(setup),
                  "--devices",
                  "cpu",
                  "--cpu-threads",
                  "1",
                  "--restart-pause",
                  "0.1",
                  "--status-file",
                  Path(name + ".status")};
  command.argv.insert(command.argv.end(), flags.begin(), flags.end());
  if (!setup.flags.empty()) command.argv.push_back("--");
  command.argv.insert(command.argv.end(), setup.flags.begin(), setup.flags.end());
  command.environment = EnvironmentOf(setup);
  command.out_path = command.err_path = Path(name + ".log");
  logs_.push_back(command.out_path);
  return Process::Start(command);
}

absl::Status Cluster::AwaitWorker(const std::string& name, bool listed, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (Worker(name).ok() != listed) {
    const auto process = workers_.find(name);
    if (listed && process != workers_.end() && !process->second->Running()) {
      return absl::UnavailableError(
          absl::StrCat("worker ", name, " ended; its log:\n",
                       ReadFile(Path(absl::StrCat("worker-", name, ".log")))));
    }
    if (absl::Now() > deadline) {
      return absl::DeadlineExceededError(absl::StrCat("worker ", name, " is ",
                                                      listed ? "not " : "still ", "listed after ",
                                                      absl::FormatDuration(timeout)));
    }
    absl::SleepFor(kPoll);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Process>> Cluster::StartCli(
    const std::string& name, const std::vector<std::string>& arguments) {
  Command command;
  command.argv = {Program("tilewright")};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.environment = {absl::StrCat("TILEWRIGHT_COORDINATOR=", address_)};
  command.out_path = Path(name + ".out");
  command.err_path = Path(name + ".err");
  return Process::Start(command);
}

CliResult Cluster::Cli(const std::vector<std::string>& arguments, absl::Duration timeout) {
  CliResult result;
  const std::string name = absl::StrCat("cli-", cli_runs_++);
  absl::StatusOr<std::unique_ptr<Process>> process = StartCli(name, arguments);
  if (!process.ok()) {
    result.err = process.status().ToString();
    return result;
  }
  const absl::StatusOr<int> exit_code = (*process)->Wait(timeout);
  result.out = ReadFile(Path(name + ".out"));
  result.err = ReadFile(Path(name + ".err"));
  if (!exit_code.ok()) {
    absl::StrAppend(&result.err, "\n", exit_code.status().ToString());
    return result;
  }
  result.exit_code = *exit_code;
  const std::vector<std::string> lines =
      absl::StrSplit(absl::StripTrailingAsciiWhitespace(result.out), '\n');
  google::protobuf::Struct json;
  if (absl::StartsWith(lines.back(), "{") &&
      google::protobuf::util::JsonStringToMessage(lines.back(), &json).ok()) {
    result.json = json;
  }
  return result;
}

std::shared_ptr<grpc::Channel> Cluster::Connect() const {
  return *OpenChannel(address_, ChannelKind::kControl, /*insecure=*/false);
}

absl::StatusOr<std::string> Cluster::Submit(const JobRequest& request) {
  v1::CreateJobRequest create;
  create.set_request_id(request.request_id.empty() ? absl::StrCat("test-", requests_++)
                                                   : request.request_id);
  v1::RenderRequest& render = *create.mutable_render();
  render.set_input(FileUri(request.input));
  render.set_output(FileUri(request.output));
  TW_ASSIGN_OR_RETURN(*render.mutable_input_facts(), FactsOf(request.input));
  if (!request.mask.empty()) {
    render.set_mask(FileUri(request.mask));
    TW_ASSIGN_OR_RETURN(*render.mutable_mask_facts(), FactsOf(request.mask));
  }
  render.set_strict(request.strict);
  render.mutable_output_options()->set_overviews(request.overviews);
  render.mutable_output_options()->set_continue_partial(request.continue_partial);
  render.set_tile_timeout_seconds(request.tile_timeout_seconds);
  v1::StageRequest& stage = *render.add_stages();
  stage.set_model(request.model);
  if (request.tile) stage.set_tile(*request.tile);
  if (request.overlap) stage.set_overlap(*request.overlap);
  if (request.halo) stage.set_halo(*request.halo);
  if (!request.then.empty()) {
    v1::StageRequest& second = *render.add_stages();
    second.set_model(request.then);
    if (request.tile) second.set_tile(*request.tile);
  }
  grpc::ClientContext context;
  v1::CreateJobResponse response;
  TW_RETURN_IF_ERROR(FromGrpc(render_->CreateJob(&context, create, &response)));
  return response.job().name();
}

absl::StatusOr<v1::Job> Cluster::Get(const std::string& job) {
  grpc::ClientContext context;
  v1::GetJobRequest request;
  request.set_name(job);
  v1::GetJobResponse response;
  TW_RETURN_IF_ERROR(FromGrpc(render_->GetJob(&context, request, &response)));
  return response.job();
}

absl::StatusOr<v1::Job> Cluster::Await(const std::string& name,
                                       const std::function<bool(const v1::Job&)>& done,
                                       absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (true) {
    TW_ASSIGN_OR_RETURN(v1::Job job, Get(name));
    if (done(job)) return job;
    if (HasEnded(job))
      return absl::FailedPreconditionError(absl::StrCat("ended too early: ", StandingOf(job)));
    if (absl::Now() > deadline) {
      return absl::DeadlineExceededError(
          absl::StrCat("after ", absl::FormatDuration(timeout), " ", StandingOf(job)));
    }
    absl::SleepFor(kPoll);
  }
}

absl::StatusOr<v1::Job> Cluster::AwaitSuccess(const std::string& job, absl::Duration timeout) {
  return Await(
      job, [](const v1::Job& now) { return now.state() == v1::Job::STATE_SUCCEEDED; }, timeout);
}

absl::StatusOr<v1::WorkerInfo> Cluster::Worker(const std::string& name) {
  grpc::ClientContext context;
  v1::ListWorkersResponse response;
  TW_RETURN_IF_ERROR(FromGrpc(pool_->ListWorkers(&context, v1::ListWorkersRequest(), &response)));
  for (const v1::WorkerInfo& worker : response.workers()) {
    if (worker.name() == name) return worker;
  }
  return absl::NotFoundError(absl::StrCat("no worker ", name));
}

}  // namespace tilewright
