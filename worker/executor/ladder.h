// The failure ladder of one stage: what is done about a tile for which memory runs out, from
// dropping caches down to giving it back. Never a substitute tile, and for a strict job never
// another bit. Belongs to one thread.

#ifndef TILEWRIGHT_WORKER_EXECUTOR_LADDER_H_
#define TILEWRIGHT_WORKER_EXECUTOR_LADDER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tilewright/v1/tile.pb.h"
#include "tilewright/v1/worker_service.pb.h"
#include "worker/engine/engine.h"
#include "worker/executor/convert.h"
#include "worker/executor/executor.h"

namespace tilewright {

// Where the ladder begins. Each rung needs less memory and time than the one before: where a batch
// is a single tile, they all are sub-tiles, ever smaller ones.
enum class Rung {
  kWholeBatch = 0,
  kHalfBatch = 1,
  kSingleTiles = 2,
  kSubTiles = 3,
};

// What was done about one batch.
class LadderReport {
 public:
  void Add(v1::LadderStep step, std::string text);
  void CopyTo(v1::TileCost* cost) const;
  // By the device's own clock, for the batch; 0 where it has none.
  double device_seconds = 0;
  // False: the bits may be others than those of whole batches on the device.
  bool proven = true;

 private:
  std::vector<std::pair<v1::LadderStep, std::string>> steps_;
};

class Ladder {
 public:
  struct Options {
    Rung first = Rung::kWholeBatch;
    Engine* engine = nullptr;           // not null; outlives the ladder
    Engine* cpu = nullptr;              // where a job may fall back to; null: nowhere
    std::function<void()> drop_caches;  // gives back what others keep; may be empty
  };
  // Loads the stage as `options.first` says, or in the whole if it cannot be. Errors are the
  // engine's; memory that does not suffice is none yet: Run does something about it. `halo` is what
  // sub-tiles keep, input pixels.
  static absl::StatusOr<std::unique_ptr<Ladder>> Create(
      const Options& options, const LocalModel& model, const StageKey& key,
      const StageNumbers& numbers, int64_t halo, const std::function<void(std::string)>& progress);

  // Runs 1 … key.batch tiles. When memory runs out: drops caches and tries once more; then, step by
  // step, executes half as many tiles at once, down to one; then computes in 2, 4, 8 sub-tiles a
  // side; then on the CPU if `spec` allows it; else OUT_OF_MEMORY with the measured peak and what
  // was tried. Of a strict job a smaller way must be proven: the canary must give in it the class
  // that the job names or, where it names none, what it gives for whole batches. What sufficed is
  // where the next run begins.
  Stage::Outputs Run(const v1::StageSpec& spec, absl::Span<const NetworkTile> inputs,
                     LadderReport* report) {
    return Begin(spec, inputs, report).Land();
  }
  // Begins a Run; all it is given stays until it lands, and is as it was until then. Runs that
  // begin before one lands do so as whole batches on the device, or not at all until they land.
  // One of them that runs out of memory lets the device come to the end of those behind it before
  // it does anything about that.
  InFlight<Stage::Outputs> Begin(const v1::StageSpec& spec, absl::Span<const NetworkTile> inputs,
                                 LadderReport* report);
  // The canary in the way where the next run begins; climbs down like a tolerant job. Nothing is in
  // flight.
  absl::StatusOr<Executor::CanaryOutcome> RunCanary(uint64_t seed);

  // As of a stage (engine.h), in its present way.
  uint64_t MemoryEstimate() const { return stage_ == nullptr ? 0 : stage_->MemoryEstimate(); }
  uint64_t StateBytes() const { return stage_ == nullptr ? 0 : stage_->StateBytes(); }

 private:
  // One way to compute the batch. The higher its index, the less memory it needs.
  struct Way {
    int batch = 1;
    int parts = 1;  // sub-tiles a side; 1: whole tiles
    bool on_cpu = false;
  };

  Ladder(const Options& options, LocalModel model, StageKey key, const StageNumbers& numbers,
         int64_t halo);

  // A whole batch that the device was given.
  struct Flight {
    InFlight<Stage::Outputs> run;
    std::optional<Stage::Outputs> outputs;  // absent: it has not come to its end
    RunNotes notes;                         // of outputs
  };

  // Whether nothing has to be loaded, or shown about the way, before such a run can begin as a
  // whole batch.
  bool StartsAtOnce(const v1::StageSpec& spec) const;
  // Whether the canary of that seed was ever taken, in any way.
  bool HasDigestOf(uint64_t seed) const;
  // Lets the device come to the end of it.
  void Await(Flight& flight);
  Stage::Outputs Land(const v1::StageSpec& spec, absl::Span<const NetworkTile> inputs,
                      const std::shared_ptr<Flight>& flight, LadderReport* report);
  // Runs what is not in flight; `failed`, if there is one, is how its first attempt ended.
  Stage::Outputs Climb(const v1::StageSpec& spec, absl::Span<const NetworkTile> inputs,
                       std::optional<absl::Status> failed, LadderReport* report);

  // Where that rung begins; 0 if the stage has nothing smaller.
  size_t WayOf(Rung rung) const;
  // Makes stage_ compute that way; what it was goes first.
  absl::Status Take(size_t way, const std::function<void(std::string)>& progress);
  absl::StatusOr<std::unique_ptr<Stage>> Load(const Way& way,
                                              const std::function<void(std::string)>& progress);
  // Takes a way if the job may be computed that way; else says why not.
  absl::Status Admit(const v1::StageSpec& spec, size_t way);
  // Of the canary in a way, which is taken for it unless the digest is known.
  absl::StatusOr<std::string> DigestOf(size_t way, uint64_t seed);
  // Runs the canary through stage_ and remembers its digest.
  absl::StatusOr<Executor::CanaryOutcome> Measure(uint64_t seed);
  // Takes the first way below `from` that the job admits. Else OUT_OF_MEMORY, beginning with the
  // sentence of `why`.
  absl::StatusOr<size_t> StepDown(const v1::StageSpec& spec, size_t from, const absl::Status& why);
  // Calls `attempt` with stage_ being one way after another until memory suffices; every step is
  // reported. Errors: those of `attempt`, OUT_OF_MEMORY at the bottom.
  absl::Status ClimbDown(const v1::StageSpec& spec, const std::function<absl::Status()>& attempt,
                         LadderReport* report);
  void Describe(size_t taken, LadderReport* report) const;
  static void CopyNotes(const RunNotes& notes, LadderReport* report);

  const Options options_;
  const LocalModel model_;
  const StageKey key_;
  const StageNumbers numbers_;
  const int64_t halo_;
  std::vector<Way> ways_;         // never empty
  size_t start_ = 0;              // where a run begins
  size_t current_ = 0;            // the way of stage_
  std::unique_ptr<Stage> stage_;  // null: to be loaded
  std::string parts_text_;        // of the latest sub-tiling: "4 sub-tiles of 96x96"
  std::map<std::pair<size_t, uint64_t>, std::string> digests_;  // by way and seed
  // Begun on stage_ and not landed, in order. Invariant: while one has no outputs, stage_ is the
  // one that it began on.
  std::deque<std::shared_ptr<Flight>> flights_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_EXECUTOR_LADDER_H_
