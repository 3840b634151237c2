// What the parts of Client share: options, channels and stubs. Thread-safe; nothing changes after
// construction.

#ifndef TILEWRIGHT_CLIENT_SRC_CONNECTION_H_
#define TILEWRIGHT_CLIENT_SRC_CONNECTION_H_

#include <grpcpp/channel.h>

#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "client/src/retry.h"
#include "tilewright/client.h"
#include "tilewright/v1/model_service.grpc.pb.h"
#include "tilewright/v1/pool_service.grpc.pb.h"
#include "tilewright/v1/render_service.grpc.pb.h"

namespace tilewright {

struct Client::Connection {
  ClientOptions options;
  // Small calls and watches; transfers have connections of their own, so that they never delay a
  // change of state.
  std::shared_ptr<grpc::Channel> control;
  std::unique_ptr<v1::RenderService::Stub> render;
  std::unique_ptr<v1::RenderService::Stub> transfer;
  std::unique_ptr<v1::ModelService::Stub> models;
  std::unique_ptr<v1::PoolService::Stub> pool;

  absl::Status Call(absl::FunctionRef<grpc::Status(grpc::ClientContext&)> call) const {
    return CallWithRetry(options.call_timeout, options.retry_for, call);
  }
};

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_SRC_CONNECTION_H_
