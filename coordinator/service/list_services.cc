#include "coordinator/service/list_services.h"

#include <grpcpp/support/server_callback.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/service/pagination.h"
#include "coordinator/service/principal.h"
#include "proto/base/status_macros.h"
#include "proto/wire/status_details.h"
#include "tilewright/v1/model_service.grpc.pb.h"
#include "tilewright/v1/pool_service.grpc.pb.h"

namespace tilewright {
namespace {

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

// Adds the items of the page that the request asks for with `add`, and the token of the next page.
template <typename Request, typename Response, typename Items, typename Add>
absl::Status FillPage(const Request& request, const Items& items, Response* response, Add add) {
  TW_ASSIGN_OR_RETURN(const int page_size, PageSize(request.page_size()));
  TW_ASSIGN_OR_RETURN(const size_t start, PageStart(request.page_token(), items.size()));
  const size_t end = std::min(items.size(), start + static_cast<size_t>(page_size));
  for (size_t i = start; i < end; ++i) add(items[i]);
  if (end < items.size()) response->set_next_page_token(absl::StrCat(end));
  return absl::OkStatus();
}

class ModelServiceImpl final : public v1::ModelService::CallbackService {
 public:
  explicit ModelServiceImpl(const ModelRepository& models) : models_(models) {}

  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override {
    return Answer(context, FillPage(*request, models_.models(), response,
                                    [response](const RepositoryModel& model) {
                                      *response->add_models() = model.model;
                                    }));
  }

  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context,
                                     const v1::GetModelRequest* request,
                                     v1::GetModelResponse* response) override {
    const absl::StatusOr<const RepositoryModel*> model = models_.Find(request->name());
    if (!model.ok()) return Answer(context, WithReason(model.status(), "UNKNOWN_MODEL"));
    *response->mutable_model() = (*model)->model;
    return Answer(context, absl::OkStatus());
  }

 private:
  const ModelRepository& models_;
};

class PoolServiceImpl final : public v1::PoolService::CallbackService {
 public:
  explicit PoolServiceImpl(Dispatcher& dispatcher) : dispatcher_(dispatcher) {}

  grpc::ServerUnaryReactor* ListWorkers(grpc::CallbackServerContext* context,
                                        const v1::ListWorkersRequest* request,
                                        v1::ListWorkersResponse* response) override {
    const std::vector<v1::WorkerInfo> workers = dispatcher_.ListWorkers();
    return Answer(context,
                  FillPage(*request, workers, response, [response](const v1::WorkerInfo& worker) {
                    *response->add_workers() = worker;
                  }));
  }

  grpc::ServerUnaryReactor* DrainWorker(grpc::CallbackServerContext* context,
                                        const v1::DrainWorkerRequest* request,
                                        v1::DrainWorkerResponse* response) override {
    return Reply(context, "DrainWorker", dispatcher_.Drain(request->name(), request->at_once()),
                 response);
  }

  grpc::ServerUnaryReactor* ResumeWorker(grpc::CallbackServerContext* context,
                                         const v1::ResumeWorkerRequest* request,
                                         v1::ResumeWorkerResponse* response) override {
    return Reply(context, "ResumeWorker", dispatcher_.ResumeWorker(request->name()), response);
  }

  grpc::ServerUnaryReactor* ClearBlocklist(grpc::CallbackServerContext* context,
                                           const v1::ClearBlocklistRequest* request,
                                           v1::ClearBlocklistResponse* response) override {
    return Reply(context, "ClearBlocklist", dispatcher_.ClearBlocklist(request->name()), response);
  }

 private:
  template <typename Response>
  static grpc::ServerUnaryReactor* Reply(grpc::CallbackServerContext* context, const char* call,
                                         absl::StatusOr<v1::WorkerInfo> worker,
                                         Response* response) {
    const Principal principal = PrincipalOf(*context);
    spdlog::info("{} by {} ({}): {}", call, principal.name, principal.peer,
                 worker.ok() ? worker->name() : worker.status().ToString());
    if (worker.ok()) *response->mutable_worker() = *std::move(worker);
    return Answer(context, worker.status());
  }

  Dispatcher& dispatcher_;
};

}  // namespace

std::unique_ptr<grpc::Service> CreateModelService(const ModelRepository& models) {
  return std::make_unique<ModelServiceImpl>(models);
}

std::unique_ptr<grpc::Service> CreatePoolService(Dispatcher& dispatcher) {
  return std::make_unique<PoolServiceImpl>(dispatcher);
}

}  // namespace tilewright
