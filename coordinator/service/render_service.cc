#include "coordinator/service/render_service.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/service/file_stream.h"
#include "coordinator/service/principal.h"
#include "coordinator/service/upload_stream.h"
#include "coordinator/service/watch_stream.h"
#include "tilewright/v1/render_service.grpc.pb.h"

namespace tilewright {
namespace {

// A job's output in pieces.
class OutputSource {
 public:
  OutputSource(JobManager& jobs, std::string job) : jobs_(jobs), job_(std::move(job)) {}

  absl::StatusOr<bool> operator()(v1::DownloadResponse* response) {
    if (!file_.is_open()) {
      const absl::StatusOr<std::string> path = jobs_.OutputOf(job_);
      if (!path.ok()) return path.status();
      std::error_code error;
      left_ = std::filesystem::file_size(*path, error);
      file_.open(*path, std::ios::binary);
      if (error || !file_) {
        return absl::DataLossError(absl::StrCat("the output of ", job_, " cannot be read"));
      }
      response->set_total_bytes(left_);
    } else if (left_ == 0) {
      return false;
    }
    const size_t piece = std::min<uint64_t>(left_, kPieceBytesMax);
    std::string* data = response->mutable_data();
    data->resize(piece);
    file_.read(data->data(), static_cast<std::streamsize>(piece));
    if (static_cast<size_t>(file_.gcount()) != piece) {
      return absl::DataLossError(absl::StrCat("the output of ", job_, " ended early"));
    }
    left_ -= piece;
    return true;
  }

 private:
  JobManager& jobs_;
  const std::string job_;
  std::ifstream file_;
  uint64_t left_ = 0;
};

class RenderServiceImpl final : public v1::RenderService::CallbackService {
 public:
  RenderServiceImpl(JobManager& jobs, ThreadPool& io) : jobs_(jobs), io_(io) {}

  grpc::ServerUnaryReactor* CreateJob(grpc::CallbackServerContext* context,
                                      const v1::CreateJobRequest* request,
                                      v1::CreateJobResponse* response) override {
    return OnDisk(context, [this, request, response, principal = PrincipalOf(*context)] {
      absl::StatusOr<v1::Job> job = jobs_.Create(principal, *request);
      if (job.ok()) *response->mutable_job() = *std::move(job);
      return job.status();
    });
  }

  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* context,
                                   const v1::GetJobRequest* request,
                                   v1::GetJobResponse* response) override {
    const auto job = jobs_.Find(request->name());
    if (job.ok()) *response->mutable_job() = jobs_.Snapshot(**job);
    return Answer(context, job.status());
  }

  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context,
                                     const v1::ListJobsRequest* request,
                                     v1::ListJobsResponse* response) override {
    absl::StatusOr<v1::ListJobsResponse> page = jobs_.List(*request);
    if (page.ok()) *response = *std::move(page);
    return Answer(context, page.status());
  }

  WatchStream::Reactor* WatchJob(grpc::CallbackServerContext*,
                                 const v1::WatchJobRequest* request) override {
    return WatchStream::Start(jobs_.watches(), jobs_.Find(request->name()));
  }

  grpc::ServerUnaryReactor* CancelJob(grpc::CallbackServerContext* context,
                                      const v1::CancelJobRequest* request,
                                      v1::CancelJobResponse* response) override {
    const auto job = jobs_.Find(request->name());
    if (job.ok()) {
      const absl::Status cancelled = jobs_.Cancel(PrincipalOf(*context), **job);
      if (!cancelled.ok()) return Answer(context, cancelled);
    }
    return CancelReply::Start(jobs_.watches(), job, response);
  }

  grpc::ServerUnaryReactor* PauseJob(grpc::CallbackServerContext* context,
                                     const v1::PauseJobRequest* request,
                                     v1::PauseJobResponse* response) override {
    return Operate(
        context, *request, response, "paused",
        [](Dispatcher& dispatcher, const std::string& job) { return dispatcher.Pause(job); });
  }

  grpc::ServerUnaryReactor* ResumeJob(grpc::CallbackServerContext* context,
                                      const v1::ResumeJobRequest* request,
                                      v1::ResumeJobResponse* response) override {
    return Operate(
        context, *request, response, "resumed",
        [](Dispatcher& dispatcher, const std::string& job) { return dispatcher.Resume(job); });
  }

  grpc::ServerUnaryReactor* SetJobPriority(grpc::CallbackServerContext* context,
                                           const v1::SetJobPriorityRequest* request,
                                           v1::SetJobPriorityResponse* response) override {
    return Operate(
        context, *request, response, "given a priority",
        [priority = request->priority()](Dispatcher& dispatcher, const std::string& job) {
          return dispatcher.SetPriority(job, priority);
        });
  }

  grpc::ServerUnaryReactor* RetryFailedTiles(grpc::CallbackServerContext* context,
                                             const v1::RetryFailedTilesRequest* request,
                                             v1::RetryFailedTilesResponse* response) override {
    return Operate(context, *request, response, "told to try its failed tiles again",
                   [](Dispatcher& dispatcher, const std::string& job) {
                     return dispatcher.RetryFailedTiles(job);
                   });
  }

  grpc::ServerUnaryReactor* AcceptHoles(grpc::CallbackServerContext* context,
                                        const v1::AcceptHolesRequest* request,
                                        v1::AcceptHolesResponse* response) override {
    return Operate(
        context, *request, response, "told to leave its failed tiles out",
        [](Dispatcher& dispatcher, const std::string& job) { return dispatcher.AcceptHoles(job); });
  }

  grpc::ServerUnaryReactor* GetPreview(grpc::CallbackServerContext* context,
                                       const v1::GetPreviewRequest* request,
                                       v1::GetPreviewResponse* response) override {
    return OnDisk(context, [this, request, response] {
      absl::StatusOr<v1::GetPreviewResponse> preview = jobs_.PreviewOf(request->name());
      if (preview.ok()) *response = *std::move(preview);
      return preview.status();
    });
  }

  grpc::ServerUnaryReactor* ProbePaths(grpc::CallbackServerContext* context,
                                       const v1::ProbePathsRequest* request,
                                       v1::ProbePathsResponse* response) override {
    return OnDisk(context, [this, request, response] {
      *response = jobs_.Probe(*request);
      return absl::OkStatus();
    });
  }

  UploadStream::Reactor* Upload(grpc::CallbackServerContext*,
                                v1::UploadResponse* response) override {
    return UploadStream::Start(jobs_.uploads(), io_, response);
  }

  grpc::ServerWriteReactor<v1::DownloadResponse>* Download(
      grpc::CallbackServerContext*, const v1::DownloadRequest* request) override {
    auto source = std::make_shared<OutputSource>(jobs_, request->name());
    return FileStream<v1::DownloadResponse>::Start(
        io_, [source](v1::DownloadResponse* response) { return (*source)(response); });
  }

 private:
  template <typename Request, typename Response, typename Operation>
  grpc::ServerUnaryReactor* Operate(grpc::CallbackServerContext* context, const Request& request,
                                    Response* response, const std::string& done,
                                    Operation operation) {
    absl::StatusOr<v1::Job> job =
        jobs_.Operate(PrincipalOf(*context), request.name(), done, operation);
    if (job.ok()) *response->mutable_job() = *std::move(job);
    return Answer(context, job.status());
  }

  static grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context,
                                          const absl::Status& status) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(ToGrpc(status));
    return reactor;
  }

  // Runs the call on a thread of the pool: it may wait for a disk, or take a while.
  template <typename Call>
  grpc::ServerUnaryReactor* OnDisk(grpc::CallbackServerContext* context, Call call) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    if (!io_.Run([reactor, call] { reactor->Finish(ToGrpc(call())); })) {
      reactor->Finish(ToGrpc(WithReason(
          absl::ResourceExhaustedError("the coordinator has too many calls waiting: try again"),
          "TOO_MANY_CALLS")));
    }
    return reactor;
  }

  JobManager& jobs_;
  ThreadPool& io_;
};

}  // namespace

std::unique_ptr<grpc::Service> CreateRenderService(JobManager& jobs, ThreadPool& io) {
  return std::make_unique<RenderServiceImpl>(jobs, io);
}

}  // namespace tilewright
