// What a worker holds of its coordinator's leases, and what it does next: the protocol core of the
// worker. A pure state machine without clock, thread, lock or stream; the shell that owns it
// serialises calls (not thread-safe).

#ifndef TILEWRIGHT_WORKER_LINK_LEASE_BOOK_H_
#define TILEWRIGHT_WORKER_LINK_LEASE_BOOK_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "proto/wire/tile_frames.h"
#include "tilewright/v1/tile.pb.h"
#include "tilewright/v1/worker_service.pb.h"
#include "worker/executor/executor.h"

namespace tilewright {

// Id of a lease: coordinator epoch and number of the grant within it.
struct LeaseRef {
  uint64_t epoch = 0;
  uint64_t sequence = 0;
  friend auto operator<=>(const LeaseRef&, const LeaseRef&) = default;
};
LeaseRef RefOf(const v1::LeaseId& id);
v1::LeaseId ToProto(LeaseRef lease);
// "lease 3/17", for logs.
std::string ToString(LeaseRef lease);

// What is common to all tiles of a lease; shared with the thread that computes.
struct LeaseTerms {
  LeaseRef lease;
  v1::StageSpec stage;
  uint32_t frame = 0;
  uint32_t pass = 0;
};

struct LeaseBookLimits {
  uint32_t tiles = 2048;                 // level: tiles held at once
  uint64_t bytes = uint64_t{256} << 20;  // level: bytes of inputs and results held at once
  uint64_t unacknowledged_bytes_max = uint64_t{256} << 20;  // results; beyond it nothing is begun
};

// The next thing for the computing thread.
struct LeaseWork {
  enum class Kind {
    kPrepare,  // make the stage ready; answer with Prepared or FailLease
    kCompute,  // `tasks`; answer each with Finish or Fail
  };
  Kind kind = Kind::kCompute;
  std::shared_ptr<const LeaseTerms> terms;
  std::vector<TileTask> tasks;
  bool first = false;  // of kCompute: the lease has just become RUNNING
};

// A tile that cannot be computed; for a TileFailed.
struct RefusedTile {
  LeaseRef lease;
  uint64_t index = 0;
  std::string text;
};

class LeaseBook {
 public:
  explicit LeaseBook(const LeaseBookLimits& limits) : limits_(limits) {}

  // --- The session with a coordinator.

  // A coordinator of this epoch answered the hello. What is held of earlier epochs stays: the new
  // coordinator goes on with it or takes it back. FAILED_PRECONDITION if an older one than was
  // served before: it must not be served.
  absl::Status BeginSession(uint64_t epoch);
  // The control stream ended. Leases that have not started are dropped, and of started ones the
  // tiles whose input has not arrived: the coordinator has returned them or learns it by the sync.
  void EndSession();
  // Highest epoch served.
  uint64_t epoch() const { return epoch_; }
  // What is held now, for the coordinator.
  v1::WorkerSync Sync() const;
  // The worker is to leave: what is not in the engine or computed is dropped, now and as grants
  // come, and the level is 0. The next Sync tells the coordinator, which lets others do it.
  void Drain();

  // --- What the coordinator says.

  // Takes a lease on. FAILED_PRECONDITION for another epoch, ALREADY_EXISTS for a sequence seen
  // before, INVALID_ARGUMENT for a lease without tiles or with one twice, RESOURCE_EXHAUSTED if
  // what is not computed yet goes twice beyond the level; then nothing is held. Inputs that came
  // before it are checked now: `refused` as in AddInputs.
  absl::Status AddGrant(v1::Lease lease, std::vector<RefusedTile>* refused);
  // Takes inputs, in any order with their grants: one that is early is kept until its grant comes.
  // One of a lease or tile that is no longer held is dropped. A damaged one, or one that does not
  // fit its lease, is returned and dropped. RESOURCE_EXHAUSTED if inputs go twice beyond the level:
  // the coordinator does not keep to it, and the session must end.
  absl::Status AddInputs(std::vector<IncomingTile> inputs, std::vector<RefusedTile>* refused);
  // Drops tiles (all if empty) of a lease; results of them that come later are not wanted. Every
  // take-back is answered once: now (true) or when what is in the engine has come out of it
  // (Finish, Fail and FailLease then return it in TakeDropped).
  bool TakeBack(LeaseRef lease, const std::vector<uint64_t>& tiles);
  // A verdict on a result: its copy is freed. False if none was waiting for it.
  bool Settle(LeaseRef lease, uint64_t index);

  // --- What the computing thread does.

  // The next work, in order of grants; nullopt while nothing is ready or too many results wait for
  // their verdicts. At most stage.batch tiles, fewer only at the end of a lease. Without
  // `may_start` only of leases that have started.
  std::optional<LeaseWork> Next(bool may_start = true);
  // The lease's stage is ready.
  void Prepared(LeaseRef lease);
  // A computed tile; kept until its verdict. False: it was taken back meanwhile and is dropped.
  bool Finish(LeaseRef lease, uint64_t index, OutgoingTile result);
  // A tile that could not be computed. False: it was taken back meanwhile, nobody needs to know.
  bool Fail(LeaseRef lease, uint64_t index);
  // The lease's stage cannot be made ready: the tiles that fail with it.
  std::vector<uint64_t> FailLease(LeaseRef lease);
  // Take-backs that can be answered now; each is returned once.
  std::vector<LeaseRef> TakeDropped();

  // --- Results.

  // Copies of all results that wait for a verdict, for a fresh stream.
  std::vector<OutgoingTile> Unacknowledged() const;
  uint64_t unacknowledged_bytes() const { return result_bytes_; }
  bool has_unacknowledged() const { return results_ > 0; }
  // So many bytes wait for verdicts that nothing new is begun.
  bool full() const { return result_bytes_ > limits_.unacknowledged_bytes_max; }
  bool idle() const { return leases_.empty(); }
  // A tile in the engine, or a result without verdict, is waited for.
  bool owes() const;

 private:
  //            input            Next               Finish            Settle
  //  kAwaited -------> kReady -------> kComputing -------> kComputed -------> kSettled
  //      any state but kSettled: TakeBack, Fail (kComputing becomes kAbandoned until it comes out)
  enum class TileState { kAwaited, kReady, kComputing, kAbandoned, kComputed, kSettled };
  struct Tile {
    uint64_t index = 0;
    TileState state = TileState::kAwaited;
    TileTask task;        // of kReady
    OutgoingTile result;  // of kComputed
  };
  enum class Stage { kQueued, kPreparing, kReady };
  struct Lease {
    std::shared_ptr<const LeaseTerms> terms;
    Stage stage = Stage::kQueued;
    bool started = false;
    std::vector<Tile> tiles;
    absl::flat_hash_map<uint64_t, size_t> slots;  // index -> position in tiles
    size_t first_open = 0;  // Invariant: tiles before it are neither kAwaited nor kReady.
    // Invariant: these count the tiles in that state; a lease with open == 0 and computing == 0 is
    // erased.
    size_t awaited = 0;
    size_t ready = 0;
    size_t computing = 0;  // kComputing and kAbandoned
    size_t open = 0;       // neither kSettled nor kAbandoned
    int take_backs = 0;    // to be answered when computing == 0
  };
  using Leases = std::map<LeaseRef, Lease>;

  Tile* FindTile(Leases::iterator lease, uint64_t index);
  void SetState(Lease& lease, Tile& tile, TileState state);
  void Drop(Lease& lease, Tile& tile);
  // Answers take-backs and erases the lease if nothing is left of it.
  void Tidy(Leases::iterator lease);
  void DropEarlyInputs();
  // Gives early inputs to their leases, as far as their grants have come.
  void MatchInputs(std::vector<RefusedTile>* refused);

  const LeaseBookLimits limits_;
  bool draining_ = false;
  uint64_t epoch_ = 0;
  uint64_t seen_sequence_ = 0;  // in epoch_
  Leases leases_;               // by epoch and sequence: the order of grants
  std::map<LeaseRef, std::vector<IncomingTile>> early_;  // inputs whose grant has not come
  std::vector<LeaseRef> dropped_;
  uint64_t held_tiles_ = 0;
  uint64_t input_bytes_ = 0;   // early ones included
  uint64_t results_ = 0;       // tiles in kComputed
  uint64_t result_bytes_ = 0;  // of them
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_LINK_LEASE_BOOK_H_
