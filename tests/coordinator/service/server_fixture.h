// A whole coordinator in this process, spoken to over gRPC on loopback, with a small picture and a
// model that copies. One thread, the test's; the server has its own.

#ifndef TILEWRIGHT_TESTS_COORDINATOR_SERVICE_SERVER_FIXTURE_H_
#define TILEWRIGHT_TESTS_COORDINATOR_SERVICE_SERVER_FIXTURE_H_

#include <grpcpp/client_context.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "coordinator/image/image_reader.h"
#include "coordinator/image/output_file.h"
#include "coordinator/jobs/state_folder.h"
#include "coordinator/service/server.h"
#include "gtest/gtest.h"
#include "proto/wire/channel.h"
#include "proto/wire/file_uri.h"
#include "proto/wire/status_details.h"
#include "tests/cluster/scripted_worker.h"
#include "tilewright/v1/render_service.grpc.pb.h"
#include "tilewright/v1/worker_service.grpc.pb.h"

namespace tilewright {

// How long a test waits for what must come.
inline constexpr absl::Duration kPatience = absl::Seconds(20);

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
    options.export_program = TILEWRIGHT_BIN_DIR "/tilewright-coordinator";  // decodes uploads
    options.preparing_threads = preparing_threads_;
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

  // One row of blocks of three channels, no pixel like its neighbour.
  void WriteImage(const std::string& path, Size size = {300, 200}) {
    OutputOptions options;
    options.path = path;
    options.format = CanvasFormat{size, 3, SampleType::kU8};
    auto file = OutputFile::Create(options);
    ASSERT_TRUE(file.ok()) << file.status();
    uint32_t state = 1;
    for (int64_t column = 0; column < options.format.block_columns(); ++column) {
      std::vector<std::byte> samples(
          static_cast<size_t>(options.format.BlockRect(column, 0).area() * 3));
      for (std::byte& sample : samples) {
        state = state * 1664525 + 1013904223;
        sample = static_cast<std::byte>(state >> 24);
      }
      ASSERT_TRUE((*file)->WriteBlock(column, 0, samples).ok());
    }
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
  absl::StatusOr<v1::GetPreviewResponse> Preview(const std::string& name) {
    grpc::ClientContext context;
    v1::GetPreviewRequest request;
    request.set_name(name);
    v1::GetPreviewResponse response;
    const absl::Status status = FromGrpc(render_->GetPreview(&context, request, &response));
    if (!status.ok()) return status;
    return response;
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
  int preparing_threads_ = 2;
  std::unique_ptr<Server> server_;
  std::unique_ptr<v1::RenderService::Stub> render_;
  std::unique_ptr<v1::WorkerService::Stub> workers_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_COORDINATOR_SERVICE_SERVER_FIXTURE_H_
