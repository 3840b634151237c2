// The body of the one thread that computes: takes work from a desk, makes stages ready, runs
// batches and canaries, and brings back results with their headers and checksums. Nothing in it
// knows streams; while it computes, the desk's streams send what it brought before. Where a device
// goes on by itself, the next batch begins before the last one is fetched and packed.

#ifndef TILEWRIGHT_WORKER_LINK_COMPUTE_LOOP_H_
#define TILEWRIGHT_WORKER_LINK_COMPUTE_LOOP_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "proto/wire/segment.h"
#include "proto/wire/tile_frames.h"
#include "tilewright/v1/worker_service.pb.h"
#include "worker/executor/executor.h"
#include "worker/link/fault_injection.h"
#include "worker/link/lease_book.h"
#include "worker/link/model_cache.h"
#include "worker/link/result_slots.h"

namespace tilewright {

// What came of some tiles of one lease.
struct Delivery {
  LeaseRef lease;
  std::vector<OutgoingTile> results;
  std::vector<v1::TileFailed> failures;
};

// Where the loop finds work and leaves results. Thread-safe.
class TileDesk {
 public:
  using Work = std::variant<LeaseWork, v1::Canary>;

  virtual ~TileDesk() = default;
  // The next work, without `may_start` no lease's first. With `wait` blocks until there is some;
  // nullopt then means: stop.
  virtual std::optional<Work> Next(bool wait, bool may_start) = 0;
  // The lease moves towards its start; `text` for people.
  virtual void Preparing(LeaseRef lease, const std::string& text) = 0;
  virtual void Prepared(LeaseRef lease) = 0;
  // None of the lease's tiles can be computed.
  virtual void PrepareFailed(LeaseRef lease, v1::FailureCause cause, const absl::Status& why) = 0;
  virtual void Deliver(std::vector<Delivery> deliveries) = 0;
  // Memory in which results may be laid for the coordinator; null: there is none.
  virtual std::shared_ptr<Segment> SharedMemory() = 0;
  virtual void CanaryDone(v1::CanaryResult result) = 0;
  // The device moved: a batch went through it.
  virtual void DeviceMoved() = 0;
  // The device or its context is gone; the process must end.
  virtual void DeviceLost(const absl::Status& why) = 0;
};

struct ComputeOptions {
  std::string worker;
  std::string incarnation;
  FaultInjection faults;
};

class ComputeLoop {
 public:
  // All outlive the loop.
  ComputeLoop(const ComputeOptions& options, Executor* executor, ModelCache* models,
              TileDesk* desk);

  // Returns when the desk says stop, or the device is lost.
  void Run();

 private:
  void Prepare(const LeaseWork& work);
  // Begins the work's batch, then lands the one before it; lands it as well unless it overlaps.
  // False if the device is lost.
  bool Compute(LeaseWork work);
  // A batch that has begun, and what the headers of its results need.
  struct Batch {
    std::shared_ptr<const LeaseTerms> terms;
    std::vector<TileTask> places;  // without samples
    InFlight<Executor::Outcomes> run;
  };
  Batch Begin(LeaseWork work);
  // Waits for the batch and packs what came of it, delivering at least what is big. False if the
  // device is lost.
  bool Land(Batch batch);
  // Lands what is in flight, if anything is. False if the device is lost.
  bool LandInFlight();
  void RunCanary(const v1::Canary& canary);
  absl::Status MakeReady(const v1::StageSpec& stage, LeaseRef lease, bool report);
  const v1::TileHeader& HeaderFor(const LeaseTerms& terms);
  OutgoingTile Pack(const LeaseTerms& terms, const TileTask& task, TileOutcome outcome);
  // Where results and failures of the lease gather until Flush.
  Delivery& Finished(LeaseRef lease);
  void Flush();

  ComputeOptions options_;
  Executor* const executor_;
  ModelCache* const models_;
  TileDesk* const desk_;
  ResultSlots slots_;

  // Begun and not landed. Invariant: while the loop waits, there is none.
  std::optional<Batch> in_flight_;
  std::set<std::string> ready_stages_;               // keys that were made ready before
  std::map<std::string, std::string> classes_;       // numeric class by stage key
  std::map<std::string, std::string> output_names_;  // of the model's tensor, by model digest
  std::optional<LeaseRef> header_lease_;
  v1::TileHeader header_;           // what all results of header_lease_ share
  std::vector<Delivery> finished_;  // not yet delivered
  uint64_t finished_bytes_ = 0;
  // No batch with a result in finished_ was begun before.
  std::chrono::steady_clock::time_point finished_since_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_LINK_COMPUTE_LOOP_H_
