// WorkerService over the dispatcher and the model repository. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_WORKER_SERVICE_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_WORKER_SERVICE_H_

#include <memory>

#include <grpcpp/impl/codegen/service_type.h>

#include "coordinator/models/repository.h"
#include "coordinator/service/dispatcher.h"
#include "coordinator/service/thread_pool.h"

namespace tilewright {

// All arguments must outlive the service.
std::unique_ptr<grpc::Service> CreateWorkerService(Dispatcher& dispatcher,
                                                   const ModelRepository& models, ThreadPool& io);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_WORKER_SERVICE_H_
