#include "tests/client/src/fake_coordinator.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/wire/channel.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(10);
constexpr size_t kPieceBytes = 100'000;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

}  // namespace

class FakeCoordinator::FakePool final : public v1::PoolService::Service {
 public:
  explicit FakePool(FakeCoordinator& fake) : fake_(fake) {}

  // One worker a page, so that clients must turn pages.
  grpc::Status ListWorkers(grpc::ServerContext*, const v1::ListWorkersRequest* request,
                           v1::ListWorkersResponse* response) override {
    const auto workers = fake_.Seen([](FakeLog&) {}).workers;
    size_t index = 0;
    (void)absl::SimpleAtoi(request->page_token(), &index);
    if (index < workers.size()) *response->add_workers() = workers[index];
    if (index + 1 < workers.size()) response->set_next_page_token(absl::StrCat(index + 1));
    return grpc::Status::OK;
  }

  grpc::Status DrainWorker(grpc::ServerContext*, const v1::DrainWorkerRequest* request,
                           v1::DrainWorkerResponse* response) override {
    response->mutable_worker()->set_name(request->name());
    response->mutable_worker()->set_draining(true);
    return fake_.Operate(
        absl::StrCat("DrainWorker ", request->name(), request->at_once() ? " now" : ""));
  }
  grpc::Status ResumeWorker(grpc::ServerContext*, const v1::ResumeWorkerRequest* request,
                            v1::ResumeWorkerResponse* response) override {
    response->mutable_worker()->set_name(request->name());
    return fake_.Operate(absl::StrCat("ResumeWorker ", request->name()));
  }
  // In quarantine still, so that a test can see that in an answer.
  grpc::Status ClearBlocklist(grpc::ServerContext*, const v1::ClearBlocklistRequest* request,
                              v1::ClearBlocklistResponse* response) override {
    response->mutable_worker()->set_name(request->name());
    response->mutable_worker()->set_quarantine_seconds(2.5);
    response->mutable_worker()->add_blocklisted_for("jobs/a");
    response->mutable_worker()->set_blocklisted_count(1);
    return fake_.Operate(absl::StrCat("ClearBlocklist ", request->name()));
  }

 private:
  FakeCoordinator& fake_;
};

class FakeCoordinator::FakeModels final : public v1::ModelService::Service {
 public:
  explicit FakeModels(FakeCoordinator& fake) : fake_(fake) {}

  grpc::Status ListModels(grpc::ServerContext*, const v1::ListModelsRequest*,
                          v1::ListModelsResponse* response) override {
    for (const v1::Model& model : fake_.Seen([](FakeLog&) {}).models) {
      *response->add_models() = model;
    }
    return grpc::Status::OK;
  }

 private:
  FakeCoordinator& fake_;
};

FakeCoordinator::FakeCoordinator()
    : pool_(std::make_unique<FakePool>(*this)), models_(std::make_unique<FakeModels>(*this)) {
  Start();
}

FakeCoordinator::~FakeCoordinator() { Stop(); }

std::string FakeCoordinator::address() const { return absl::StrCat("127.0.0.1:", port_); }

void FakeCoordinator::SetScript(FakeScript script) {
  absl::MutexLock lock(&mutex_);
  script_ = std::move(script);
}

FakeLog FakeCoordinator::log() const {
  absl::MutexLock lock(&mutex_);
  return log_;
}

void FakeCoordinator::Start() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = false;
  }
  grpc::ServerBuilder builder;
  const absl::Status configured =
      ConfigureServer(absl::StrCat("127.0.0.1:", port_), false, builder, &port_);
  ASSERT_TRUE(configured.ok()) << configured;
  builder.RegisterService(this);
  builder.RegisterService(pool_.get());
  builder.RegisterService(models_.get());
  server_ = builder.BuildAndStart();
  ASSERT_NE(server_, nullptr);
}

void FakeCoordinator::Stop() {
  if (server_ == nullptr) return;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
  server_.reset();
}

FakeScript FakeCoordinator::Seen(std::function<void(FakeLog&)> note) {
  absl::MutexLock lock(&mutex_);
  ++log_.calls;
  note(log_);
  return script_;
}

grpc::Status FakeCoordinator::CreateJob(grpc::ServerContext*, const v1::CreateJobRequest* request,
                                        v1::CreateJobResponse* response) {
  absl::MutexLock lock(&mutex_);
  ++log_.calls;
  ++log_.creates;
  if (!script_.create_status.ok()) return script_.create_status;
  if (script_.mask_wanted && request->render().mask().empty()) {
    return ToGrpc(WithReason(absl::InvalidArgumentError("give a mask"), "MASK_MISSING"));
  }
  const int open = static_cast<int>(log_.jobs.size()) - log_.ended_jobs;
  if (script_.open_jobs_max > 0 && open >= script_.open_jobs_max) {
    ++log_.crowded_creates;
    return ToGrpc(WithReason(absl::ResourceExhaustedError("too many jobs"), "TOO_MANY_JOBS"));
  }
  v1::Job& job = *response->mutable_job();
  *job.mutable_request() = request->render();
  job.set_state(v1::Job::STATE_QUEUED);
  job.mutable_plan()->set_tiles(4);
  job.mutable_plan()->set_input_pages(script_.input_pages);
  if (request->dry_run()) {
    log_.jobs.push_back(*request);
    return grpc::Status::OK;
  }
  const auto same = std::find_if(log_.jobs.begin(), log_.jobs.end(), [request](const auto& made) {
    return made.request_id() == request->request_id();
  });
  if (same == log_.jobs.end()) {
    log_.jobs.push_back(*request);
  } else if (same->render().SerializeAsString() != request->render().SerializeAsString()) {
    return ToGrpc(
        WithReason(absl::AlreadyExistsError("another request has this id"), "REQUEST_ID_REUSED"));
  }
  if (script_.lost_creates > 0) {
    --script_.lost_creates;
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the answer got lost");
  }
  job.set_name(absl::StrCat("jobs/", request->request_id()));
  return grpc::Status::OK;
}

grpc::Status FakeCoordinator::GetJob(grpc::ServerContext* context, const v1::GetJobRequest* request,
                                     v1::GetJobResponse* response) {
  const FakeScript script = Seen([](FakeLog& log) { ++log.gets; });
  while (script.hang && !context->IsCancelled()) absl::SleepFor(kPoll);
  if (request->name() == "jobs/none") {
    return ToGrpc(WithReason(absl::NotFoundError("there is no job jobs/none"), "JOB_NOT_FOUND"));
  }
  response->mutable_job()->set_name(request->name());
  return grpc::Status::OK;
}

grpc::Status FakeCoordinator::ListJobs(grpc::ServerContext*, const v1::ListJobsRequest* request,
                                       v1::ListJobsResponse* response) {
  const FakeScript script = Seen([](FakeLog& log) { ++log.lists; });
  int index = 0;
  (void)absl::SimpleAtoi(request->page_token(), &index);
  const int end = std::min(script.job_count, index + request->page_size());
  for (; index < end; ++index) response->add_jobs()->set_name(absl::StrCat("jobs/", index));
  if (end < script.job_count) response->set_next_page_token(absl::StrCat(end));
  return grpc::Status::OK;
}

grpc::Status FakeCoordinator::WatchJob(grpc::ServerContext* context,
                                       const v1::WatchJobRequest* request,
                                       grpc::ServerWriter<v1::WatchJobResponse>* writer) {
  int stream = 0;
  const FakeScript script = Seen([&stream](FakeLog& log) { stream = log.watches++; });
  if (script.watches.empty()) return grpc::Status(grpc::StatusCode::NOT_FOUND, "no watch scripted");
  const FakeWatch& watch =
      script.watches[std::min(static_cast<size_t>(stream), script.watches.size() - 1)];
  while (script.watch_when_crowded && log().crowded_creates == 0 && !context->IsCancelled()) {
    absl::SleepFor(kPoll);
  }
  v1::WatchJobResponse response;
  for (const v1::Job& job : watch.jobs) {
    *response.mutable_job() = job;
    response.mutable_job()->set_name(request->name());
    if (job.state() >= v1::Job::STATE_SUCCEEDED) {
      absl::MutexLock lock(&mutex_);
      ++log_.ended_jobs;
    }
    writer->Write(response);
  }
  while (watch.hold && !context->IsCancelled()) {
    bool cancelled = false;
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "stopping");
      cancelled = log_.cancels > 0 && !script.hang_cancel;
    }
    if (cancelled) {
      response.mutable_job()->set_name(request->name());
      response.mutable_job()->set_state(v1::Job::STATE_CANCELLED);
      writer->Write(response);
      return grpc::Status::OK;
    }
    absl::SleepFor(kPoll);
  }
  return watch.end;
}

grpc::Status FakeCoordinator::CancelJob(grpc::ServerContext* context,
                                        const v1::CancelJobRequest* request,
                                        v1::CancelJobResponse* response) {
  const FakeScript script = Seen([](FakeLog& log) { ++log.cancels; });
  while (script.hang_cancel && !context->IsCancelled()) absl::SleepFor(kPoll);
  response->mutable_job()->set_name(request->name());
  response->mutable_job()->set_state(v1::Job::STATE_CANCELLED);
  return grpc::Status::OK;
}

grpc::Status FakeCoordinator::PauseJob(grpc::ServerContext*, const v1::PauseJobRequest* request,
                                       v1::PauseJobResponse* response) {
  response->mutable_job()->set_name(request->name());
  response->mutable_job()->set_state(v1::Job::STATE_RUNNING);
  response->mutable_job()->set_paused(true);
  return Operate(absl::StrCat("PauseJob ", request->name()));
}

grpc::Status FakeCoordinator::ResumeJob(grpc::ServerContext*, const v1::ResumeJobRequest* request,
                                        v1::ResumeJobResponse* response) {
  response->mutable_job()->set_name(request->name());
  response->mutable_job()->set_state(v1::Job::STATE_RUNNING);

  return Operate(absl::StrCat("ResumeJob ", request->name()));
}

grpc::Status FakeCoordinator::SetJobPriority(grpc::ServerContext*,
                                             const v1::SetJobPriorityRequest* request,
                                             v1::SetJobPriorityResponse* response) {
  response->mutable_job()->set_name(request->name());
  response->mutable_job()->set_state(v1::Job::STATE_RUNNING);
  response->mutable_job()->set_priority(request->priority());
  return Operate(absl::StrCat("SetJobPriority ", request->name(), " ", request->priority()));
}

grpc::Status FakeCoordinator::RetryFailedTiles(grpc::ServerContext*,
                                               const v1::RetryFailedTilesRequest* request,
                                               v1::RetryFailedTilesResponse* response) {
  response->mutable_job()->set_name(request->name());
  response->mutable_job()->set_state(v1::Job::STATE_RUNNING);

  return Operate(absl::StrCat("RetryFailedTiles ", request->name()));
}

grpc::Status FakeCoordinator::AcceptHoles(grpc::ServerContext*,
                                          const v1::AcceptHolesRequest* request,
                                          v1::AcceptHolesResponse* response) {
  response->mutable_job()->set_name(request->name());
  response->mutable_job()->set_state(v1::Job::STATE_RUNNING);
  v1::Hole* hole = response->mutable_job()->add_holes();
  hole->set_tile(4);
  hole->mutable_rect()->set_x(128);
  hole->mutable_rect()->set_width(64);
  hole->mutable_rect()->set_height(48);
  response->mutable_job()->set_hole_count(1);
  return Operate(absl::StrCat("AcceptHoles ", request->name()));
}

grpc::Status FakeCoordinator::GetPreview(grpc::ServerContext*, const v1::GetPreviewRequest* request,
                                         v1::GetPreviewResponse* response) {
  response->set_png("a picture");
  response->set_finished(0.25);
  return Operate(absl::StrCat("GetPreview ", request->name()));
}

grpc::Status FakeCoordinator::Operate(const std::string& text) {
  absl::MutexLock lock(&mutex_);
  ++log_.calls;
  log_.operations.push_back(text);
  if (script_.lost_operations > 0) {
    --script_.lost_operations;
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the answer got lost");
  }
  return script_.operation_status;
}

grpc::Status FakeCoordinator::ProbePaths(grpc::ServerContext*, const v1::ProbePathsRequest* request,
                                         v1::ProbePathsResponse* response) {
  const FakeScript script = Seen([request](FakeLog& log) { log.probes.push_back(*request); });
  struct stat facts;
  const bool same = stat(request->input().c_str(), &facts) == 0 &&
                    facts.st_dev == request->input_facts().device() &&
                    facts.st_ino == request->input_facts().inode() &&
                    static_cast<uint64_t>(facts.st_size) == request->input_facts().size();
  response->set_input_shared(script.share_input && same);
  response->set_output_shared(script.share_output &&
                              ReadFile(request->nonce_path()) == request->nonce());
  response->set_text(script.probe_text);
  return grpc::Status::OK;
}

grpc::Status FakeCoordinator::Upload(grpc::ServerContext*,
                                     grpc::ServerReader<v1::UploadRequest>* reader,
                                     v1::UploadResponse* response) {
  const FakeScript script = Seen([](FakeLog&) {});
  std::string bytes;
  std::string name;
  uint32_t page = 0;
  v1::UploadRequest request;
  while (reader->Read(&request)) {
    if (!script.upload_status.ok()) return script.upload_status;
    if (name.empty()) {
      name = request.filename();
      page = request.page();
    }
    bytes += request.data();
  }
  absl::MutexLock lock(&mutex_);
  log_.uploads.push_back(bytes);
  log_.upload_names.push_back(name);
  log_.upload_pages.push_back(page);
  response->set_uri(absl::StrCat("upload:", log_.uploads.size()));
  return grpc::Status::OK;
}

grpc::Status FakeCoordinator::Download(grpc::ServerContext*, const v1::DownloadRequest*,
                                       grpc::ServerWriter<v1::DownloadResponse>* writer) {
  FakeScript script;
  bool broken = false;
  {
    absl::MutexLock lock(&mutex_);
    ++log_.calls;
    broken = script_.broken_downloads > 0;
    if (broken) --script_.broken_downloads;
    script = script_;
  }
  if (script.on_download) script.on_download();
  v1::DownloadResponse response;
  response.set_total_bytes(script.output.size() + script.missing_bytes);
  for (size_t at = 0; at < script.output.size(); at += kPieceBytes) {
    response.set_data(script.output.substr(at, kPieceBytes));
    writer->Write(response);
    if (broken) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "broken in the middle");
    response.clear_total_bytes();
  }
  return grpc::Status::OK;
}

}  // namespace tilewright
