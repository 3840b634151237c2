// Client: what users do to jobs and workers.

#include <string>

#include "client/src/connection.h"
#include "client/src/convert.h"
#include "proto/base/status_macros.h"
#include "tilewright/client.h"

namespace tilewright {

absl::StatusOr<Job> Client::Pause(absl::string_view job) {
  v1::PauseJobRequest request;
  request.set_name(JobName(job));
  v1::PauseJobResponse response;
  TW_RETURN_IF_ERROR(connection_->Call([&](grpc::ClientContext& context) {
    return connection_->render->PauseJob(&context, request, &response);
  }));
  return JobFromProto(response.job());
}

absl::StatusOr<Job> Client::Resume(absl::string_view job) {
  v1::ResumeJobRequest request;
  request.set_name(JobName(job));
  v1::ResumeJobResponse response;
  TW_RETURN_IF_ERROR(connection_->Call([&](grpc::ClientContext& context) {
    return connection_->render->ResumeJob(&context, request, &response);
  }));
  return JobFromProto(response.job());
}

absl::StatusOr<Job> Client::SetPriority(absl::string_view job, int priority) {
  v1::SetJobPriorityRequest request;
  request.set_name(JobName(job));
  request.set_priority(priority);
  v1::SetJobPriorityResponse response;
  TW_RETURN_IF_ERROR(connection_->Call([&](grpc::ClientContext& context) {
    return connection_->render->SetJobPriority(&context, request, &response);
  }));
  return JobFromProto(response.job());
}

absl::StatusOr<Job> Client::RetryFailedTiles(absl::string_view job) {
  v1::RetryFailedTilesRequest request;
  request.set_name(JobName(job));
  v1::RetryFailedTilesResponse response;
  TW_RETURN_IF_ERROR(connection_->Call([&](grpc::ClientContext& context) {
    return connection_->render->RetryFailedTiles(&context, request, &response);
  }));
  return JobFromProto(response.job());
}

absl::StatusOr<Job> Client::AcceptHoles(absl::string_view job) {
  v1::AcceptHolesRequest request;
  request.set_name(JobName(job));
  v1::AcceptHolesResponse response;
  TW_RETURN_IF_ERROR(connection_->Call([&](grpc::ClientContext& context) {
    return connection_->render->AcceptHoles(&context, request, &response);
  }));
  return JobFromProto(response.job());
}

absl::StatusOr<Worker> Client::DrainWorker(absl::string_view worker, bool at_once) {
  v1::DrainWorkerRequest request;
  request.set_name(std::string(worker));
  request.set_at_once(at_once);
  v1::DrainWorkerResponse response;
  TW_RETURN_IF_ERROR(connection_->Call([&](grpc::ClientContext& context) {
    return connection_->pool->DrainWorker(&context, request, &response);
  }));
  return WorkerFromProto(response.worker());
}

absl::StatusOr<Worker> Client::ResumeWorker(absl::string_view worker) {
  v1::ResumeWorkerRequest request;
  request.set_name(std::string(worker));
  v1::ResumeWorkerResponse response;
  TW_RETURN_IF_ERROR(connection_->Call([&](grpc::ClientContext& context) {
    return connection_->pool->ResumeWorker(&context, request, &response);
  }));
  return WorkerFromProto(response.worker());
}

absl::StatusOr<Worker> Client::ClearBlocklist(absl::string_view worker) {
  v1::ClearBlocklistRequest request;
  request.set_name(std::string(worker));
  v1::ClearBlocklistResponse response;
  TW_RETURN_IF_ERROR(connection_->Call([&](grpc::ClientContext& context) {
    return connection_->pool->ClearBlocklist(&context, request, &response);
  }));
  return WorkerFromProto(response.worker());
}

}  // namespace tilewright
