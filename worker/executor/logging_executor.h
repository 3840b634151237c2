// Logs what an executor does; every line names job, stage and, where there is one, tile and lease.

#ifndef TILEWRIGHT_WORKER_EXECUTOR_LOGGING_EXECUTOR_H_
#define TILEWRIGHT_WORKER_EXECUTOR_LOGGING_EXECUTOR_H_

#include <spdlog/logger.h>

#include <memory>

#include "worker/executor/executor.h"

namespace tilewright {

std::unique_ptr<Executor> CreateLoggingExecutor(std::unique_ptr<Executor> inner,
                                                std::shared_ptr<spdlog::logger> logger);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_EXECUTOR_LOGGING_EXECUTOR_H_
