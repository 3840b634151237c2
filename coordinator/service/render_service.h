// RenderService over the job manager. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_RENDER_SERVICE_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_RENDER_SERVICE_H_

#include <grpcpp/impl/codegen/service_type.h>

#include <memory>

#include "coordinator/service/job_manager.h"
#include "coordinator/service/thread_pool.h"

namespace tilewright {

// Both must outlive the service. Calls that wait for disks run on `io`.
std::unique_ptr<grpc::Service> CreateRenderService(JobManager& jobs, ThreadPool& io);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_RENDER_SERVICE_H_
