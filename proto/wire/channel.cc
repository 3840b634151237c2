#include "proto/wire/channel.h"

#include <arpa/inet.h>
#include <grpc/grpc.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "proto/base/status_macros.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

struct HostPort {
  std::string host;
  std::string port;
};

// Splits "host:port" and "[v6]:port". Without a port, `port` is empty.
HostPort Split(absl::string_view address) {
  if (absl::ConsumePrefix(&address, "[")) {
    const size_t close = address.find(']');
    if (close == absl::string_view::npos) return {};
    absl::string_view rest = address.substr(close + 1);
    const bool has_port = absl::ConsumePrefix(&rest, ":");
    return {std::string(address.substr(0, close)), has_port ? std::string(rest) : ""};
  }
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) return {std::string(address), ""};
  return {std::string(address.substr(0, colon)), std::string(address.substr(colon + 1))};
}

bool IsUnix(absl::string_view address) { return absl::StartsWith(address, "unix:"); }

absl::Status CheckAddress(absl::string_view address) {
  if (IsUnix(address)) return absl::OkStatus();
  const HostPort parts = Split(address);
  int port = 0;
  if (parts.host.empty() || !absl::SimpleAtoi(parts.port, &port) || port < 0 || port > 65535) {
    return WithReason(
        absl::InvalidArgumentError(absl::StrCat(
            "'", address, "' is not an address: give HOST:PORT, for instance 127.0.0.1:7878")),
        "BAD_ADDRESS");
  }
  return absl::OkStatus();
}

}  // namespace

bool IsLoopback(absl::string_view address) {
  if (IsUnix(address)) return true;
  const std::string host = Split(address).host;
  if (absl::EqualsIgnoreCase(host, "localhost")) return true;
  in_addr v4;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6;
  if (inet_pton(AF_INET6, host.c_str(), &v6) != 1) return false;
  return std::memcmp(&v6, &in6addr_loopback, sizeof v6) == 0;
}

absl::Status CheckExposure(absl::string_view address, bool insecure) {
  if (insecure || IsLoopback(address)) return absl::OkStatus();
  return WithReason(
      absl::FailedPreconditionError(absl::StrCat(
          "'", address,
          "' is not a loopback address, and connections are neither encrypted nor authenticated "
          "yet: use "
          "127.0.0.1, or say --insecure if everyone on that network may use this cluster")),
      "INSECURE_ADDRESS");
}

grpc::ChannelArguments ChannelArgumentsFor(absl::string_view address, ChannelKind kind) {
  const int bytes_max =
      kind == ChannelKind::kControl ? kControlMessageBytesMax : kDataMessageBytesMax;
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kKeepaliveTime));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kKeepaliveTimeout));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // A proxy of the environment cannot reach this machine's loopback.
  if (IsLoopback(address)) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(bytes_max);
  arguments.SetMaxSendMessageSize(bytes_max);
  return arguments;
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(absl::string_view address,
                                                           ChannelKind kind, bool insecure) {
  TW_RETURN_IF_ERROR(CheckAddress(address));
  TW_RETURN_IF_ERROR(CheckExposure(address, insecure));
  return grpc::CreateCustomChannel(std::string(address), grpc::InsecureChannelCredentials(),
                                   ChannelArgumentsFor(address, kind));
}

absl::Status ConfigureServer(absl::string_view address, bool insecure, grpc::ServerBuilder& builder,
                             int* port) {
  TW_RETURN_IF_ERROR(CheckAddress(address));
  TW_RETURN_IF_ERROR(CheckExposure(address, insecure));
  static_assert(kControlMessageBytesMax == kDataMessageBytesMax,
                "a server has one limit for all its connections");
  builder.SetMaxReceiveMessageSize(kControlMessageBytesMax);
  builder.SetMaxSendMessageSize(kControlMessageBytesMax);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kKeepaliveTime));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kKeepaliveTimeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             Milliseconds(kKeepaliveTime / 2));
  // Two coordinators on one port would split the cluster silently.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  if (port != nullptr) *port = 0;
  builder.AddListeningPort(std::string(address), grpc::InsecureServerCredentials(), port);
  return absl::OkStatus();
}

}  // namespace tilewright
