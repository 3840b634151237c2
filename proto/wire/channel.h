// How both ends of every connection are set up: keepalive, limits, addresses and credentials.
// Functions only; thread-safe.

#ifndef TILEWRIGHT_PROTO_WIRE_CHANNEL_H_
#define TILEWRIGHT_PROTO_WIRE_CHANNEL_H_

#include <grpcpp/channel.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace tilewright {

// A cut link is noticed after time + timeout. Servers tolerate twice this rate.
inline constexpr absl::Duration kKeepaliveTime = absl::Seconds(10);
inline constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(5);

// Largest message either end takes; more is RESOURCE_EXHAUSTED. A frame holds at most 2 MiB of
// payload.
inline constexpr int kControlMessageBytesMax = 4 << 20;
inline constexpr int kDataMessageBytesMax = 4 << 20;

// What a connection is for. Channels of different kinds to one address never share a connection, so
// that a big payload never delays a heartbeat.
enum class ChannelKind { kControl, kData };

// Whether only this machine can reach `address` (HOST:PORT, [V6]:PORT or unix:PATH): 127.0.0.0/8,
// ::1, localhost, unix.
bool IsLoopback(absl::string_view address);

// OK on loopback or with `insecure` (the flag --insecure); else FAILED_PRECONDITION with reason
// INSECURE_ADDRESS: connections are neither encrypted nor authenticated. Every program asks before
// it listens or connects.
absl::Status CheckExposure(absl::string_view address, bool insecure);

// Keepalive, limits and reconnect back-off of a client's channel of that kind.
grpc::ChannelArguments ChannelArgumentsFor(absl::string_view address, ChannelKind kind);

// A lazily connecting channel with connections of its own: two calls share none. The error is
// CheckExposure's, or INVALID_ARGUMENT for an address without port.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(absl::string_view address,
                                                           ChannelKind kind, bool insecure);

// Adds the listening port and everything OpenChannel's clients rely on: keepalive tolerance,
// limits, no port sharing with another process. `*port` (may be null) is the bound port after
// BuildAndStart, 0 if the port was taken. The error is OpenChannel's.
absl::Status ConfigureServer(absl::string_view address, bool insecure, grpc::ServerBuilder& builder,
                             int* port);

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_WIRE_CHANNEL_H_
