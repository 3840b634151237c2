// A coordinator that does as a test tells it, on a real loopback port, with generated code only:
// what the worker encodes by hand is read by what any language would use. Thread-safe.

#ifndef TILEWRIGHT_TESTS_WORKER_LINK_FAKE_COORDINATOR_H_
#define TILEWRIGHT_TESTS_WORKER_LINK_FAKE_COORDINATOR_H_

#include <grpcpp/server.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "proto/wire/segment.h"
#include "proto/wire/tile_frames.h"
#include "tilewright/v1/worker_service.grpc.pb.h"

namespace tilewright {

class FakeCoordinator final : public v1::WorkerService::Service {
 public:
  struct Result {
    v1::TileHeader header;
    std::string payload;
    int stream = 0;  // number of the SubmitTiles stream it came on, from 1
  };
  // The answer to a result; nullopt: none.
  using Judge = std::function<std::optional<v1::TileVerdict::Verdict>(const Result&)>;

  FakeCoordinator();
  ~FakeCoordinator() override;

  std::string address() const;

  // --- What it does; set before or while it serves.
  void SetEpoch(uint64_t epoch);
  // Every hello is answered with this status instead.
  void RefuseHellos(const grpc::Status& status);
  void SetJudge(Judge judge);
  // Whether memory that a hello offers is mapped; by default it is not.
  void ShareMemory(bool share);
  // What FetchModel sends for that digest.
  void AddModel(const std::string& digest, std::map<std::string, std::string> files);

  // --- What it says; needs a control stream.
  void Send(const v1::CoordinatorEvent& event);
  void Grant(const v1::Lease& lease);
  void TakeBack(const v1::LeaseId& lease, const std::vector<uint64_t>& tiles);
  // Sends an input as a frame of its own, now or when the stream of inputs opens.
  void SendInput(const v1::TileHeader& header, const std::string& payload);
  // Ends the control stream (within a heartbeat), or the stream of results at its next message,
  // before that is answered.
  void BreakControl(const grpc::Status& status);
  void BreakResults();

  // --- What it heard.
  // Waits until `reached` holds for what was heard; false after 10 s.
  bool Await(const std::function<bool()>& reached);
  std::vector<v1::WorkerEvent> Events() const;
  std::vector<Result> Results() const;
  int hellos() const { return hellos_; }
  int fetches() const { return fetches_; }
  int slices() const { return slices_; }  // pieces of results that came in shared memory
  // Events that have that member, in order.
  std::vector<v1::WorkerEvent> Events(v1::WorkerEvent::EventCase kind) const;

 private:
  using ControlIo = grpc::ServerReaderWriter<v1::ControlResponse, v1::ControlRequest>;
  using ResultIo = grpc::ServerReaderWriter<v1::SubmitTilesResponse, v1::SubmitTilesRequest>;

  grpc::Status Control(grpc::ServerContext* context, ControlIo* stream) override;
  grpc::Status ReceiveTiles(grpc::ServerContext* context, const v1::ReceiveTilesRequest* request,
                            grpc::ServerWriter<v1::TileFrames>* writer) override;
  grpc::Status SubmitTiles(grpc::ServerContext* context, ResultIo* stream) override;
  grpc::Status FetchModel(grpc::ServerContext* context, const v1::FetchModelRequest* request,
                          grpc::ServerWriter<v1::FetchModelResponse>* writer) override;

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::atomic<int> hellos_ = 0;
  std::atomic<int> fetches_ = 0;
  std::atomic<int> slices_ = 0;

  mutable absl::Mutex mutex_;
  uint64_t epoch_ ABSL_GUARDED_BY(mutex_) = 1;
  std::optional<grpc::Status> refusal_ ABSL_GUARDED_BY(mutex_);
  Judge judge_ ABSL_GUARDED_BY(mutex_);
  bool share_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<Segment> segment_ ABSL_GUARDED_BY(mutex_);  // of the latest hello
  std::map<std::string, std::map<std::string, std::string>> models_ ABSL_GUARDED_BY(mutex_);
  ControlIo* control_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::optional<grpc::Status> break_control_ ABSL_GUARDED_BY(mutex_);
  bool break_results_ ABSL_GUARDED_BY(mutex_) = false;
  int result_streams_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<v1::TileFrames> inputs_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::WorkerEvent> events_ ABSL_GUARDED_BY(mutex_);
  std::vector<Result> results_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_WORKER_LINK_FAKE_COORDINATOR_H_
