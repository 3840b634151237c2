// A whole coordinator as a process is one: what it offers, its limits, its start and its end.

#include "coordinator/service/server.h"

#include <grpcpp/generic/generic_stub.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "proto/wire/status_details.h"
#include "tests/coordinator/service/server_fixture.h"

namespace tilewright {
namespace {

TEST_F(ServerTest, AMessageOverTheLimitIsRefused) {
  v1::CreateJobRequest request = Request(std::string(8 << 20, 'x'));
  EXPECT_EQ(Create(request).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Create(Request("a")).ok());
}

// The bytes of an answer to a call without generated code.
absl::StatusOr<std::string> Call(std::shared_ptr<grpc::Channel> channel,
                                 const std::string& method) {
  grpc::GenericStub stub(std::move(channel));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
  grpc::Slice none;
  const grpc::ByteBuffer request(&none, 1);
  grpc::ByteBuffer response;
  absl::Notification done;
  absl::Status status;
  stub.UnaryCall(&context, method, grpc::StubOptions(), &request, &response,
                 [&](grpc::Status ended) {
                   status = FromGrpc(ended);
                   done.Notify();
                 });
  done.WaitForNotification();
  if (!status.ok()) return status;
  grpc::Slice slice;
  if (!response.DumpToSingleSlice(&slice).ok()) return absl::InternalError("no bytes");
  return std::string(reinterpret_cast<const char*>(slice.begin()), slice.size());
}

TEST_F(ServerTest, SaysThatItServesAndWhatItOffers) {
  const auto health = Call(Connect(), "/grpc.health.v1.Health/Check");
  ASSERT_TRUE(health.ok()) << health.status();
  EXPECT_EQ(*health, std::string("\x08\x01", 2)) << "SERVING";
  // A stream, so a unary call of it is a protocol error; a service that is not there is
  // UNIMPLEMENTED.
  const auto reflection =
      Call(Connect(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
  EXPECT_NE(reflection.status().code(), absl::StatusCode::kUnimplemented) << reflection.status();
  EXPECT_EQ(Call(Connect(), "/tilewright.v1.Nothing/Call").status().code(),
            absl::StatusCode::kUnimplemented);
}

TEST_F(ServerTest, AShutdownRemovesWhatWasBegunAndEndsWatchers) {
  const auto job = Create(Request("a"));
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_TRUE(Exists("port"));
  absl::Notification watching;
  v1::Job last;
  std::thread watcher([&] { last = Watch(job->name(), &watching); });
  watching.WaitForNotification();
  const absl::Time began = absl::Now();
  server_->Shutdown();
  watcher.join();
  EXPECT_LT(absl::Now() - began, absl::Seconds(5));
  EXPECT_FALSE(Exists("out.tif.partial"));
  EXPECT_FALSE(Exists("port"));
}

TEST_F(ServerTest, ASecondCoordinatorOnTheStateFolderDoesNotStart) {
  ServerOptions options;
  options.listen = "127.0.0.1:0";
  options.state_dir = folder_ + "/state";
  options.models = folder_ + "/models";
  EXPECT_EQ(Server::Start(options).status().code(), absl::StatusCode::kFailedPrecondition);
  options.state_dir = folder_ + "/other";
  options.listen = absl::StrCat("127.0.0.1:", server_->port());
  EXPECT_EQ(ReasonOf(Server::Start(options).status()), "CANNOT_LISTEN");
  options.listen = "0.0.0.0:0";
  EXPECT_EQ(ReasonOf(Server::Start(options).status()), "INSECURE_ADDRESS");
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/other2"));
}

}  // namespace
}  // namespace tilewright
