// A checkpoint: what another job of the same request needs to go on from a job that died, and the
// record that names it on disk (checkpoint.proto says how). Value types and functions; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_CHECKPOINT_H_
#define TILEWRIGHT_COORDINATOR_JOBS_CHECKPOINT_H_

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/image/output_state.h"
#include "coordinator/merge/merger_state.h"
#include "coordinator/schedule/types.h"

namespace tilewright {

// What decides the pixels of a job. Two jobs whose facts are equal give equal tiles.
struct JobFact {
  std::string name;  // a word, for sentences
  std::string value;
  friend bool operator==(const JobFact&, const JobFact&) = default;
};
using JobFacts = std::vector<JobFact>;

// What is promised of the tiles of a stage, as of JobView.
struct StagePromise {
  Promise promise = Promise::kUndecided;
  std::string numeric_class;      // of a strict one
  std::set<std::string> classes;  // of the tiles accepted
  friend bool operator==(const StagePromise&, const StagePromise&) = default;
};

// Of a job of several stages only its last stage is in it: what lies between stages is computed
// again where it is needed.
struct Checkpoint {
  JobFacts facts;
  StagePromise promise;
  std::vector<StagePromise> before;  // of each stage before the last
  MergerState merger;
  OutputState output;
  std::vector<int64_t> holes;  // wanted tiles that were left out, by number
  // Of what is in the output: see Preview::Restore. Empty: none was kept.
  std::vector<std::byte> preview;
  int64_t preview_drawn = 0;
};

// Where the record of the job that writes that output lies, and its scratch.
std::string CheckpointPathFor(const std::string& output);
std::string CheckpointScratchPathFor(const std::string& output);
// Removes both, if they are there. Only whoever holds the output's PartialClaim may.
void RemoveCheckpoint(const std::string& output);

std::string EncodeCheckpoint(const Checkpoint& checkpoint);
// DATA_LOSS for bytes that are not a whole record, FAILED_PRECONDITION for one of another version.
absl::StatusOr<Checkpoint> DecodeCheckpoint(absl::string_view bytes);

// Replaces the record by rename, durable on return. All that it names must be durable before.
absl::Status WriteCheckpoint(const std::string& output, const Checkpoint& checkpoint);
// NOT_FOUND if there is none; as DecodeCheckpoint.
absl::StatusOr<Checkpoint> ReadCheckpoint(const std::string& output);

// Every slot of the scratch that it names.
std::vector<Scratch::Slot> SlotsOf(const Checkpoint& checkpoint);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_CHECKPOINT_H_
