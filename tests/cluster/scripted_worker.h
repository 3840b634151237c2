// A worker whose every message a test decides: it speaks the protocol with generated code alone,
// computes nothing by itself and can misbehave on demand. Calls come from one thread; streams are
// read by threads of its own.

#ifndef TILEWRIGHT_TESTS_CLUSTER_SCRIPTED_WORKER_H_
#define TILEWRIGHT_TESTS_CLUSTER_SCRIPTED_WORKER_H_

#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "tilewright/v1/worker_service.grpc.pb.h"

namespace tilewright {

struct ScriptedWorkerOptions {
  std::string name = "scripted";
  uint32_t protocol_major = 1;
  std::vector<std::string> engines = {"builtin"};
  std::string environment_key = "scripted";
  uint32_t credit_tiles = 4;
};

// A tile as it came or as it is to be sent.
struct ScriptedTile {
  v1::TileHeader header;
  std::string payload;
};

class ScriptedWorker {
 public:
  // Says hello on a control stream of its own channel and opens ReceiveTiles. The status of the
  // refused stream if the coordinator ends it instead of answering.
  static absl::StatusOr<std::unique_ptr<ScriptedWorker>> Join(
      std::shared_ptr<grpc::Channel> channel, const ScriptedWorkerOptions& options);
  // Leaves.
  ~ScriptedWorker();

  // The next lease granted. DEADLINE_EXCEEDED if none comes.
  absl::StatusOr<v1::Lease> AwaitGrant(absl::Duration timeout);
  // The next tile that arrives.
  absl::StatusOr<ScriptedTile> AwaitTile(absl::Duration timeout);
  // Says something on the control stream.
  absl::Status Say(const v1::WorkerEvent& event);
  absl::Status SayStarted(const v1::LeaseId& lease);
  // From now on heartbeats are sent (they are from the start) or not.
  void SetHeartbeats(bool on);
  // Ends the control and receive streams; results may still be submitted.
  void Leave();

  // What the model "identity" would answer: the input's pixels in its contribution.
  ScriptedTile IdentityResult(const ScriptedTile& input) const;
  // Sends one result on a SubmitTiles stream opened for it, and gives its verdict.
  absl::StatusOr<v1::TileVerdict> SubmitOnFreshStream(const ScriptedTile& result);

  const v1::HelloReply& reply() const { return reply_; }

 private:
  ScriptedWorker(std::shared_ptr<grpc::Channel> channel, const ScriptedWorkerOptions& options);
  void ReadControl();
  void ReadTiles();
  void Beat();

  const ScriptedWorkerOptions options_;
  const std::string incarnation_;
  const std::unique_ptr<v1::WorkerService::Stub> stub_;
  grpc::ClientContext control_context_;
  grpc::ClientContext tiles_context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ControlRequest, v1::ControlResponse>> control_;
  std::unique_ptr<grpc::ClientReader<v1::TileFrames>> tiles_;
  v1::HelloReply reply_;

  absl::Mutex mutex_;
  std::deque<v1::Lease> grants_ ABSL_GUARDED_BY(mutex_);
  std::deque<ScriptedTile> arrived_ ABSL_GUARDED_BY(mutex_);
  bool heartbeats_ ABSL_GUARDED_BY(mutex_) = true;
  absl::Mutex write_mutex_;  // gRPC takes one write at a time
  absl::Notification left_;
  std::thread control_reader_;
  std::thread tile_reader_;
  std::thread beater_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_CLUSTER_SCRIPTED_WORKER_H_
