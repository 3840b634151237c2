// A whole coordinator in this process, spoken to over gRPC on loopback: every service, and what
// ends badly ends with a typed error and nothing left behind.

#include "coordinator/service/server.h"

#include <grpcpp/generic/generic_stub.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "coordinator/image/file_hash.h"
#include "coordinator/image/output_file.h"
#include "coordinator/jobs/roots.h"
#include "coordinator/jobs/state_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/wire/channel.h"
#include "proto/wire/file_uri.h"
#include "proto/wire/model_digest.h"
#include "proto/wire/status_details.h"
#include "tests/cluster/scripted_worker.h"
#include "tilewright/v1/model_service.grpc.pb.h"
#include "tilewright/v1/pool_service.grpc.pb.h"
#include "tilewright/v1/render_service.grpc.pb.h"
#include "tilewright/v1/worker_service.grpc.pb.h"

namespace tilewright {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

class ServerTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(StartImageLibrary("server_test").ok()); }

  void SetUp() override {
    folder_ = absl::StrCat(std::filesystem::canonical(testing::TempDir()).string(), "/server-",
                           RandomId());
    std::filesystem::create_directories(folder_ + "/models/identity/1");
    std::ofstream(folder_ + "/models/identity/1/manifest.textproto")
        << "description: \"copies\" engine: \"builtin\" entry: \"identity\" "
           "exactness: EXACTNESS_KIND_EXACT inputs { name: \"image\" } outputs { name: \"image\" }";
    WriteImage(folder_ + "/in.tif");
    Start();
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Start() {
    ServerOptions options;
    options.listen = "127.0.0.1:0";
    options.port_file = folder_ + "/port";
    options.state_dir = folder_ + "/state";
    options.models = folder_ + "/models";
    options.upload_bytes_max = 1 << 20;
    auto server = Server::Start(options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    render_ = v1::RenderService::NewStub(Connect());
    workers_ = v1::WorkerService::NewStub(Connect());
  }

  std::shared_ptr<grpc::Channel> Connect() {
    auto channel = OpenChannel(absl::StrCat("127.0.0.1:", server_->port()), ChannelKind::kData,
                               /*insecure=*/false);
    EXPECT_TRUE(channel.ok()) << channel.status();
    return *channel;
  }

  // 300 × 200 pixels of three channels, none like its neighbour.
  void WriteImage(const std::string& path) {
    OutputOptions options;
    options.path = path;
    options.format = CanvasFormat{Size{300, 200}, 3, SampleType::kU8};
    auto file = OutputFile::Create(options);
    ASSERT_TRUE(file.ok()) << file.status();
    std::vector<std::byte> samples(300 * 200 * 3);
    uint32_t state = 1;
    for (std::byte& sample : samples) {
      state = state * 1664525 + 1013904223;
      sample = static_cast<std::byte>(state >> 24);
    }
    ASSERT_TRUE((*file)->WriteBlock(0, 0, samples).ok());
    ASSERT_TRUE((*file)->Publish().ok());
  }

  v1::CreateJobRequest Request(const std::string& id, const std::string& output = "out.tif") {
    v1::CreateJobRequest request;
    request.set_request_id(id);
    v1::RenderRequest& render = *request.mutable_render();
    render.set_input(FileUri(folder_ + "/in.tif"));
    render.set_output(FileUri(absl::StrCat(folder_, "/", output)));
    v1::StageRequest& stage = *render.add_stages();
    stage.set_model("identity");
    stage.set_tile(64);
    stage.set_overlap(8);
    return request;
  }
  absl::StatusOr<v1::Job> Create(const v1::CreateJobRequest& request) {
    grpc::ClientContext context;
    v1::CreateJobResponse response;
    const absl::Status status = FromGrpc(render_->CreateJob(&context, request, &response));
    if (!status.ok()) return status;
    return response.job();
  }
  // The job once it has ended, by watching it; `watching` is notified at the first snapshot.
  v1::Job Watch(const std::string& name, absl::Notification* watching = nullptr) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    v1::WatchJobRequest request;
    request.set_name(name);
    const auto stream = render_->WatchJob(&context, request);
    v1::WatchJobResponse response;
    v1::Job last;
    while (stream->Read(&response)) {
      last = response.job();
      if (watching != nullptr && !watching->HasBeenNotified()) watching->Notify();
    }
    const absl::Status ended = FromGrpc(stream->Finish());
    EXPECT_TRUE(ended.ok()) << ended;
    if (watching != nullptr && !watching->HasBeenNotified()) watching->Notify();
    return last;
  }

  // A worker that answers what it gets until it is told to leave.
  class Computing {
   public:
    explicit Computing(std::unique_ptr<ScriptedWorker> worker)
        : worker_(std::move(worker)), thread_([this] { Run(); }) {}
    ~Computing() {
      stop_ = true;
      thread_.join();
    }

   private:
    void Run() {
      while (!stop_) {
        const auto tile = worker_->AwaitTile(absl::Milliseconds(50));
        if (!tile.ok()) continue;
        worker_->SayStarted(tile->header.lease()).IgnoreError();
        const auto verdict = worker_->SubmitOnFreshStream(worker_->IdentityResult(*tile));
        EXPECT_TRUE(verdict.ok()) << verdict.status();
      }
    }

    std::unique_ptr<ScriptedWorker> worker_;
    std::atomic<bool> stop_ = false;
    std::thread thread_;
  };

  std::unique_ptr<ScriptedWorker> Join() {
    auto worker = ScriptedWorker::Join(Connect(), {});
    EXPECT_TRUE(worker.ok()) << worker.status();
    return worker.ok() ? *std::move(worker) : nullptr;
  }
  std::unique_ptr<Computing> JoinComputing() { return std::make_unique<Computing>(Join()); }

  bool Exists(const std::string& name) { return std::filesystem::exists(folder_ + "/" + name); }

  std::string folder_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<v1::RenderService::Stub> render_;
  std::unique_ptr<v1::WorkerService::Stub> workers_;
};

TEST_F(ServerTest, RendersThroughAWorker) {
  const auto worker = JoinComputing();
  const auto job = Create(Request("a"));
  ASSERT_TRUE(job.ok()) << job.status();
  const v1::Job done = Watch(job->name());
  ASSERT_EQ(done.state(), v1::Job::STATE_SUCCEEDED) << done.ShortDebugString();
  EXPECT_EQ(done.tiles_done(), done.plan().tiles());
  EXPECT_EQ(done.attempts(), done.plan().tiles());
  EXPECT_EQ(done.exactness(), "exact");
  EXPECT_EQ(done.promise(), "strict");
  EXPECT_GT(done.compute_seconds(), 0);
  ASSERT_EQ(done.workers_size(), 1);
  EXPECT_EQ(done.workers(0).tiles(), done.plan().tiles());
  const auto in = PixelHashOfFile(folder_ + "/in.tif");
  const auto out = PixelHashOfFile(folder_ + "/out.tif");
  ASSERT_TRUE(in.ok() && out.ok());
  EXPECT_EQ(*out, *in);
  EXPECT_EQ(done.pixel_hash(), absl::StrFormat("%016x", *out));
  EXPECT_FALSE(Exists("out.tif.partial"));
}

TEST_F(ServerTest, TheSameRequestAgainIsTheSameJob) {
  const auto first = Create(Request("a"));
  const auto again = Create(Request("a"));
  ASSERT_TRUE(first.ok() && again.ok()) << first.status() << again.status();
  EXPECT_EQ(again->name(), first->name());
  EXPECT_EQ(ReasonOf(Create(Request("a", "other.tif")).status()), "REQUEST_ID_REUSED");
  // Two jobs on one output: the second is refused at once.
  EXPECT_EQ(ReasonOf(Create(Request("b")).status()), "OUTPUT_EXISTS");
}

TEST_F(ServerTest, ADryRunCreatesNothingAndNamesTheWorkers) {
  const auto worker = Join();
  v1::CreateJobRequest request = Request("");
  request.set_dry_run(true);
  const auto job = Create(request);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->name(), "");
  EXPECT_GT(job->plan().tiles(), 1u);
  EXPECT_GE(job->plan().halo_overhead(), 1.0);
  ASSERT_EQ(job->plan().matches_size(), 1);
  EXPECT_EQ(job->plan().matches(0).worker(), "scripted");
  EXPECT_TRUE(job->plan().matches(0).eligible());
  EXPECT_FALSE(Exists("out.tif.partial"));
}

TEST_F(ServerTest, ACancelledJobLeavesNothing) {
  const auto job = Create(Request("a"));
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_TRUE(Exists("out.tif.partial"));
  grpc::ClientContext context;
  v1::CancelJobRequest request;
  request.set_name(job->name());
  v1::CancelJobResponse response;
  ASSERT_TRUE(FromGrpc(render_->CancelJob(&context, request, &response)).ok());
  EXPECT_EQ(response.job().state(), v1::Job::STATE_CANCELLED);
  EXPECT_EQ(response.job().error().message(), "the job was cancelled by a user");
  EXPECT_FALSE(Exists("out.tif.partial"));
  EXPECT_FALSE(Exists("out.tif"));
}

TEST_F(ServerTest, AWatcherThatLeavesDoesNotEndTheJob) {
  const auto job = Create(Request("a"));
  ASSERT_TRUE(job.ok()) << job.status();
  {
    grpc::ClientContext context;
    v1::WatchJobRequest request;
    request.set_name(job->name());
    const auto stream = render_->WatchJob(&context, request);
    v1::WatchJobResponse response;
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.job().state(), v1::Job::STATE_QUEUED);
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  const auto worker = JoinComputing();
  EXPECT_EQ(Watch(job->name()).state(), v1::Job::STATE_SUCCEEDED);
}

TEST_F(ServerTest, AnInputIsUploadedAndTheOutputDownloaded) {
  std::ifstream file(folder_ + "/in.tif", std::ios::binary);
  const std::string input((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::string uri;
  {
    grpc::ClientContext context;
    v1::UploadResponse response;
    const auto stream = render_->Upload(&context, &response);
    v1::UploadRequest request;
    request.set_filename("in.tif");
    request.set_total_bytes(input.size());
    for (size_t at = 0; at < input.size(); at += 50'000) {
      request.set_data(input.substr(at, 50'000));
      ASSERT_TRUE(stream->Write(request));
      request.Clear();
    }
    stream->WritesDone();
    const absl::Status status = FromGrpc(stream->Finish());
    ASSERT_TRUE(status.ok()) << status;
    uri = response.uri();
  }
  v1::CreateJobRequest request = Request("a");
  request.mutable_render()->set_input(uri);
  request.mutable_render()->set_output("download:.tif");
  const auto worker = JoinComputing();
  const auto job = Create(request);
  ASSERT_TRUE(job.ok()) << job.status();
  ASSERT_EQ(Watch(job->name()).state(), v1::Job::STATE_SUCCEEDED);
  grpc::ClientContext context;
  v1::DownloadRequest download;
  download.set_name(job->name());
  const auto stream = render_->Download(&context, download);
  v1::DownloadResponse response;
  std::string output;
  uint64_t announced = 0;
  while (stream->Read(&response)) {
    announced += response.total_bytes();
    output += response.data();
  }
  const absl::Status status = FromGrpc(stream->Finish());
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(output.size(), announced);
  std::ofstream(folder_ + "/copy.tif", std::ios::binary) << output;
  const auto in = PixelHashOfFile(folder_ + "/in.tif");
  const auto copy = PixelHashOfFile(folder_ + "/copy.tif");
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_EQ(*copy, *in);
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/state/uploads")) << "the upload was kept";
}

TEST_F(ServerTest, AnUploadOverTheLimitIsRefusedAtOnce) {
  grpc::ClientContext context;
  v1::UploadResponse response;
  const auto stream = render_->Upload(&context, &response);
  v1::UploadRequest request;
  request.set_total_bytes((1 << 20) + 1);
  stream->Write(request);
  const absl::Status status = FromGrpc(stream->Finish());
  EXPECT_EQ(ReasonOf(status), "LIMIT_EXCEEDED") << status;
}

TEST_F(ServerTest, SharedFilesAreRecognisedByFactsAndNonce) {
  const std::string nonce(32, 'n');
  std::ofstream(folder_ + "/nonce", std::ios::binary) << nonce;
  const auto facts = StatFile(folder_ + "/in.tif");
  ASSERT_TRUE(facts.ok()) << facts.status();
  v1::ProbePathsRequest request;
  request.set_input(folder_ + "/in.tif");
  *request.mutable_input_facts() = *facts;
  request.set_nonce_path(folder_ + "/nonce");
  request.set_nonce(nonce);
  const auto probe = [&] {
    grpc::ClientContext context;
    v1::ProbePathsResponse response;
    EXPECT_TRUE(render_->ProbePaths(&context, request, &response).ok());
    return response;
  };
  EXPECT_TRUE(probe().input_shared());
  EXPECT_TRUE(probe().output_shared());
  request.mutable_input_facts()->set_inode(facts->inode() + 1);
  request.set_nonce(std::string(32, 'm'));
  EXPECT_FALSE(probe().input_shared());
  EXPECT_FALSE(probe().output_shared());
  EXPECT_NE(probe().text(), "");
}

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
