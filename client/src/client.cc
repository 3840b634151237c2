#include "tilewright/client.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/src/connection.h"
#include "client/src/convert.h"
#include "proto/base/status_macros.h"
#include "proto/wire/channel.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

constexpr int kPageSize = 200;

}  // namespace

Client::Client(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
Client::~Client() = default;

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(ClientOptions options) {
  auto connection = std::make_unique<Connection>();
  TW_ASSIGN_OR_RETURN(connection->control,
                      OpenChannel(options.coordinator, ChannelKind::kControl, options.insecure));
  TW_ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> data,
                      OpenChannel(options.coordinator, ChannelKind::kData, options.insecure));
  if (!connection->control->WaitForConnected(
          absl::ToChronoTime(absl::Now() + options.connect_timeout))) {
    return WithReason(absl::UnavailableError(absl::StrCat(
                          "no coordinator answers at ", options.coordinator, " within ",
                          absl::FormatDuration(options.connect_timeout),
                          ": start tilewright-coordinator there, or give another address")),
                      "COORDINATOR_UNREACHABLE");
  }
  connection->render = v1::RenderService::NewStub(connection->control);
  connection->models = v1::ModelService::NewStub(connection->control);
  connection->pool = v1::PoolService::NewStub(connection->control);
  connection->transfer = v1::RenderService::NewStub(data);
  connection->options = std::move(options);
  return std::unique_ptr<Client>(new Client(std::move(connection)));
}

absl::StatusOr<Job> Client::Get(absl::string_view job) {
  v1::GetJobRequest request;
  request.set_name(JobName(job));
  v1::GetJobResponse response;
  TW_RETURN_IF_ERROR(connection_->Call([&](grpc::ClientContext& context) {
    return connection_->render->GetJob(&context, request, &response);
  }));
  return JobFromProto(response.job());
}

absl::StatusOr<Job> Client::Cancel(absl::string_view job) {
  v1::CancelJobRequest request;
  request.set_name(JobName(job));
  v1::CancelJobResponse response;
  TW_RETURN_IF_ERROR(connection_->Call([&](grpc::ClientContext& context) {
    return connection_->render->CancelJob(&context, request, &response);
  }));
  return JobFromProto(response.job());
}

absl::Status Client::List(absl::FunctionRef<bool(const Job&)> visit) {
  v1::ListJobsRequest request;
  request.set_page_size(kPageSize);
  do {
    v1::ListJobsResponse response;
    TW_RETURN_IF_ERROR(connection_->Call([&](grpc::ClientContext& context) {
      return connection_->render->ListJobs(&context, request, &response);
    }));
    for (const v1::Job& job : response.jobs()) {
      if (!visit(JobFromProto(job))) return absl::OkStatus();
    }
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Worker>> Client::ListWorkers() {
  std::vector<Worker> workers;
  v1::ListWorkersRequest request;
  request.set_page_size(kPageSize);
  do {
    v1::ListWorkersResponse response;
    TW_RETURN_IF_ERROR(connection_->Call([&](grpc::ClientContext& context) {
      return connection_->pool->ListWorkers(&context, request, &response);
    }));
    for (const v1::WorkerInfo& worker : response.workers()) {
      workers.push_back(WorkerFromProto(worker));
    }
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return workers;
}

absl::StatusOr<std::vector<Model>> Client::ListModels() {
  std::vector<Model> models;
  v1::ListModelsRequest request;
  request.set_page_size(kPageSize);
  do {
    v1::ListModelsResponse response;
    TW_RETURN_IF_ERROR(connection_->Call([&](grpc::ClientContext& context) {
      return connection_->models->ListModels(&context, request, &response);
    }));
    for (const v1::Model& model : response.models()) models.push_back(ModelFromProto(model));
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return models;
}

}  // namespace tilewright
