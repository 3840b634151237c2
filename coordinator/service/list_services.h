// ModelService and PoolService: what there is to render with. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_LIST_SERVICES_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_LIST_SERVICES_H_

#include <grpcpp/impl/codegen/service_type.h>

#include <memory>

#include "coordinator/models/repository.h"
#include "coordinator/service/dispatcher.h"

namespace tilewright {

// The arguments must outlive the services.
std::unique_ptr<grpc::Service> CreateModelService(const ModelRepository& models);
std::unique_ptr<grpc::Service> CreatePoolService(Dispatcher& dispatcher);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_LIST_SERVICES_H_
