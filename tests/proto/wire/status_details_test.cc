// Errors on the wire: what goes in comes out, over a real trailer's limits, and foreign bytes do no
// harm.

#include "proto/wire/status_details.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "proto/wire/channel.h"
#include "tilewright/v1/render_service.grpc.pb.h"

namespace tilewright {
namespace {

TEST(StatusDetails, CarriesEveryCodeMessageAndReason) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status sent = WithReason(
        absl::Status(static_cast<absl::StatusCode>(code), "opening '/a b.png': no such file"),
        "INPUT_MISSING");
    const grpc::Status wire = ToGrpc(sent);
    EXPECT_EQ(static_cast<int>(wire.error_code()), code);
    const absl::Status received = FromGrpc(wire);
    EXPECT_EQ(received, sent) << received;
    EXPECT_EQ(ReasonOf(received), "INPUT_MISSING");
    EXPECT_EQ(FromProto(ToProto(sent)), sent);
  }
}

TEST(StatusDetails, OkStaysOkAndCarriesNoReason) {
  EXPECT_TRUE(FromGrpc(ToGrpc(absl::OkStatus())).ok());
  EXPECT_TRUE(FromProto(ToProto(absl::OkStatus())).ok());
  EXPECT_EQ(ReasonOf(WithReason(absl::OkStatus(), "NOT_KEPT")), "");
}

TEST(StatusDetails, AReasonSurvivesAnnotationAndIsReplacedByALaterOne) {
  const absl::Status status =
      Annotate(WithReason(absl::NotFoundError("no such file"), "INPUT_MISSING"), "opening /a");
  EXPECT_EQ(ReasonOf(status), "INPUT_MISSING");
  EXPECT_EQ(ReasonOf(WithReason(status, "OTHER")), "OTHER");
  EXPECT_EQ(ReasonOf(absl::NotFoundError("plain")), "");
}

TEST(StatusDetails, WhenToAskAgainCrossesTheWireBesideTheReason) {
  const absl::Status sent = WithRetryAfter(
      WithReason(absl::ResourceExhaustedError("full"), "QUOTA_EXCEEDED"), absl::Milliseconds(2500));
  const absl::Status received = FromGrpc(ToGrpc(sent));
  EXPECT_EQ(received, sent);
  EXPECT_EQ(RetryAfterOf(received), absl::Milliseconds(2500));
  EXPECT_EQ(ReasonOf(received), "QUOTA_EXCEEDED");
  // google.rpc.RetryInfo: field 1 a Duration { 1: seconds, 2: nanos }.
  EXPECT_EQ(std::string(*received.GetPayload("type.googleapis.com/google.rpc.RetryInfo")),
            std::string("\x0a\x08\x08\x02\x10\x80\xca\xb5\xee\x01"));
  EXPECT_FALSE(RetryAfterOf(absl::ResourceExhaustedError("full")).has_value());
  EXPECT_EQ(RetryAfterOf(WithRetryAfter(absl::ResourceExhaustedError("full"), -absl::Seconds(1))),
            absl::ZeroDuration());
}

TEST(StatusDetails, AreWhatGoogleRpcStatusWouldEncode) {
  const grpc::Status wire = ToGrpc(WithReason(absl::AlreadyExistsError("m"), "R"));
  // Field 1 varint 6, field 2 "m", field 3 an Any { 1: type URL, 2: ErrorInfo { 1: "R", 2: domain }
  // }.
  const std::string url = "type.googleapis.com/google.rpc.ErrorInfo";
  const std::string info = std::string("\x0a\x01R\x12\x0atilewright");
  const std::string any =
      absl::StrCat("\x0a", std::string(1, static_cast<char>(url.size())), url, "\x12",
                   std::string(1, static_cast<char>(info.size())), info);
  EXPECT_EQ(wire.error_details(), absl::StrCat("\x08\x06\x12\x01m\x1a",
                                               std::string(1, static_cast<char>(any.size())), any));
}

TEST(StatusDetails, CutsALongMessageAtACharacterBorder) {
  std::string message;
  while (message.size() < 10000) message += "ä";
  const grpc::Status wire = ToGrpc(absl::InternalError("x" + message));
  EXPECT_LE(wire.error_message().size(), kStatusMessageBytesMax);
  EXPECT_GT(wire.error_message().size(), kStatusMessageBytesMax - 10);
  EXPECT_THAT(wire.error_message(), testing::EndsWith("ä…"));
  // Inside messages there is no such limit.
  EXPECT_EQ(ToProto(absl::InternalError(message)).message(), message);
}

TEST(StatusDetails, UnreadableDetailsLoseOnlyTheDetails) {
  const absl::Status status =
      FromGrpc(grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone", "\xff\xff not a message"));
  EXPECT_EQ(status, absl::UnavailableError("gone"));
  EXPECT_EQ(FromGrpc(grpc::Status(static_cast<grpc::StatusCode>(99), "odd")).code(),
            absl::StatusCode::kUnknown);
}

TEST(Channel, KnowsLoopbackAddressesAndNoImpostors) {
  for (const char* address : {"127.0.0.1:7878", "127.8.9.1:1", "localhost:0", "[::1]:7878",
                              "unix:/run/tilewright.sock"}) {
    EXPECT_TRUE(IsLoopback(address)) << address;
    EXPECT_TRUE(CheckExposure(address, false).ok()) << address;
  }
  for (const char* address :
       {"0.0.0.0:7878", "[::]:7878", "10.0.0.1:7878", "127.0.0.1.example.org:1",
        "localhost.example.org:1", "example.org:7878", "", ":7878", "[::1"}) {
    EXPECT_FALSE(IsLoopback(address)) << address;
    const absl::Status refused = CheckExposure(address, false);
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << address;
    EXPECT_EQ(ReasonOf(refused), "INSECURE_ADDRESS");
    EXPECT_TRUE(CheckExposure(address, true).ok()) << address;
  }
}

TEST(Channel, RefusesWhatIsNoAddressAndWhatIsExposed) {
  for (const char* address : {"127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "localhost:70000", ""}) {
    const auto channel = OpenChannel(address, ChannelKind::kControl, true);
    ASSERT_FALSE(channel.ok()) << address;
    EXPECT_EQ(channel.status().code(), absl::StatusCode::kInvalidArgument) << address;
  }
  EXPECT_EQ(OpenChannel("192.0.2.1:7878", ChannelKind::kData, false).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(OpenChannel("127.0.0.1:7878", ChannelKind::kData, false).ok());
}

TEST(Channel, TwoServersNeverShareAPort) {
  v1::RenderService::CallbackService unimplemented;  // a server must have a service
  grpc::ServerBuilder first;
  first.RegisterService(&unimplemented);
  int port = 0;
  ASSERT_TRUE(ConfigureServer("127.0.0.1:0", false, first, &port).ok());
  const auto server = first.BuildAndStart();
  ASSERT_NE(server, nullptr);
  ASSERT_GT(port, 0);
  grpc::ServerBuilder second;
  v1::RenderService::CallbackService another;
  second.RegisterService(&another);
  int taken = -1;
  ASSERT_TRUE(ConfigureServer(absl::StrCat("127.0.0.1:", port), false, second, &taken).ok());
  EXPECT_EQ(second.BuildAndStart(), nullptr);
  EXPECT_EQ(taken, 0);
}

}  // namespace
}  // namespace tilewright
