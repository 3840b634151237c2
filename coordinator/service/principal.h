// Who calls. Value type.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_PRINCIPAL_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_PRINCIPAL_H_

#include <grpcpp/server_context.h>

#include <string>

namespace tilewright {

struct Principal {
  std::string name = "anonymous";
  std::string tenant = "default";
  std::string peer;  // address, for the log
};

// Nobody is authenticated yet: everyone who reaches the port is anonymous, which the server's start
// has permitted.
inline Principal PrincipalOf(const grpc::CallbackServerContext& context) {
  Principal principal;
  principal.peer = context.peer();
  return principal;
}

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_PRINCIPAL_H_
