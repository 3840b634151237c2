// Workers and models at a whole coordinator.

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/wire/model_digest.h"
#include "proto/wire/status_details.h"
#include "tests/coordinator/service/server_fixture.h"
#include "tilewright/v1/model_service.grpc.pb.h"
#include "tilewright/v1/pool_service.grpc.pb.h"

namespace tilewright {
namespace {

TEST_F(ServerTest, DataStreamsOfStrangersAreRefused) {
  {
    grpc::ClientContext context;
    v1::ReceiveTilesRequest request;
    request.set_worker("stranger");
    request.set_incarnation("one");
    const auto stream = workers_->ReceiveTiles(&context, request);
    v1::TileFrames frames;
    EXPECT_FALSE(stream->Read(&frames));
    EXPECT_EQ(ReasonOf(FromGrpc(stream->Finish())), "UNKNOWN_WORKER");
  }
  grpc::ClientContext context;
  const auto stream = workers_->SubmitTiles(&context);
  v1::SubmitTilesRequest request;
  request.set_worker("stranger");
  request.set_incarnation("one");
  stream->Write(request);
  v1::SubmitTilesResponse response;
  EXPECT_FALSE(stream->Read(&response));
  const absl::Status status = FromGrpc(stream->Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(status), "UNKNOWN_WORKER");
}

TEST_F(ServerTest, AControlStreamMustBeginWithAHelloOfThisProtocol) {
  ScriptedWorkerOptions options;
  options.protocol_major = 2;
  const absl::Status major = ScriptedWorker::Join(Connect(), options).status();
  EXPECT_EQ(major.code(), absl::StatusCode::kFailedPrecondition) << major;
  EXPECT_EQ(ReasonOf(major), "PROTOCOL_MISMATCH");

  grpc::ClientContext context;
  const auto stream = workers_->Control(&context);
  v1::ControlRequest request;
  request.add_events()->mutable_heartbeat();
  stream->Write(request);
  v1::ControlResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(ReasonOf(FromGrpc(stream->Finish())), "BAD_HELLO");
}

TEST_F(ServerTest, ModelsAreListedAndFetchedWhole) {
  const auto stub = v1::ModelService::NewStub(Connect());
  v1::ListModelsResponse models;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(stub->ListModels(&context, v1::ListModelsRequest(), &models).ok());
  }
  ASSERT_EQ(models.models_size(), 1);
  {
    grpc::ClientContext context;
    v1::GetModelRequest request;
    request.set_name("identity");
    v1::GetModelResponse response;
    ASSERT_TRUE(stub->GetModel(&context, request, &response).ok());
    EXPECT_EQ(response.model().digest(), models.models(0).digest());
  }
  {
    grpc::ClientContext context;
    v1::GetModelRequest request;
    request.set_name("nothing");
    v1::GetModelResponse response;
    EXPECT_EQ(ReasonOf(FromGrpc(stub->GetModel(&context, request, &response))), "UNKNOWN_MODEL");
  }
  grpc::ClientContext context;
  v1::FetchModelRequest request;
  request.set_model_digest(models.models(0).digest());
  const auto stream = workers_->FetchModel(&context, request);
  v1::FetchModelResponse piece;
  ModelDigest digest;
  while (stream->Read(&piece)) {
    if (!piece.file().empty()) digest.BeginFile(piece.file(), piece.file_bytes());
    digest.Add(piece.data());
  }
  ASSERT_TRUE(stream->Finish().ok());
  EXPECT_EQ(digest.Finish(), models.models(0).digest());
}

TEST_F(ServerTest, WorkersAreListedWhileTheyAreConnected) {
  const auto stub = v1::PoolService::NewStub(Connect());
  const auto list = [&] {
    grpc::ClientContext context;
    v1::ListWorkersResponse response;
    EXPECT_TRUE(stub->ListWorkers(&context, v1::ListWorkersRequest(), &response).ok());
    return response;
  };
  auto worker = Join();
  ASSERT_EQ(list().workers_size(), 1);
  EXPECT_EQ(list().workers(0).name(), "scripted");
  EXPECT_EQ(list().workers(0).capabilities().environment_key(), "scripted");
  worker.reset();
  const absl::Time deadline = absl::Now() + kPatience;
  while (list().workers_size() > 0 && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(5));
  EXPECT_EQ(list().workers_size(), 0);
}

}  // namespace
}  // namespace tilewright
