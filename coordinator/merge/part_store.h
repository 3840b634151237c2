// The parts of an image that wait for their neighbours, in memory or in a scratch, and how many
// bytes they are. Not thread-safe; pure but for the scratch.

#ifndef TILEWRIGHT_COORDINATOR_MERGE_PART_STORE_H_
#define TILEWRIGHT_COORDINATOR_MERGE_PART_STORE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/merge/scratch.h"

namespace tilewright {

// Samples in memory or, if `slot` is set, in the scratch.
struct Part {
  std::vector<std::byte> samples;
  std::optional<Scratch::Slot> slot;
  // Of the samples in memory, as they are. Invariant: not set beside `slot`.
  std::optional<Scratch::Slot> copy;
  bool pinned = false;  // in use: stays in memory
};

// Keeps a part in memory while it is in use.
class Pin {
 public:
  explicit Pin(Part* part) : part_(part) {
    if (part_ != nullptr) part_->pinned = true;
  }
  Pin(Pin&& other) noexcept : part_(std::exchange(other.part_, nullptr)) {}
  ~Pin() {
    if (part_ != nullptr) part_->pinned = false;
  }

 private:
  Part* part_;
};

class PartStore {
 public:
  // A part in memory and when it is wanted next: the number of a tile. The least is wanted first.
  struct Candidate {
    Part* part = nullptr;
    int64_t wanted = 0;
  };
  // The parts in memory that are not pinned.
  using Candidates = std::function<std::vector<Candidate>()>;

  // Without a scratch nothing leaves memory. `candidates` is asked when something has to.
  PartStore(Scratch* scratch, Candidates candidates);

  // The bound of MakeRoom.
  void set_bytes_max(int64_t bytes_max) { bytes_max_ = bytes_max; }
  // Puts parts away, those wanted last first, until `bytes` more fit below the bound or only pinned
  // ones are left. Where the scratch is full they stay in memory; see no_room. Its other errors
  // pass through: what was put away by then stays there.
  absl::Status MakeRoom(int64_t bytes);
  // Not OK: the bound is exceeded because the scratch is full, in its words.
  absl::Status no_room() const { return memory_bytes_ > bytes_max_ ? no_room_ : absl::OkStatus(); }

  // Puts the part away unless it is, or the scratch is full; does nothing without a scratch.
  absl::Status PutAway(Part& part);

  // Where the part lies in the scratch; what is in memory stays there and is copied, unless it was
  // copied before and is still the same. Precondition: there is a scratch.
  absl::StatusOr<Scratch::Slot> Save(Part& part);
  // The part, which is in memory, is about to be changed: its copy is none any more.
  void Change(Part& part);

  // The part's samples are counted from now on.
  void Add(const Part& part) { Count(static_cast<int64_t>(part.samples.size())); }
  // Brings the part back into memory if it is not there.
  absl::Status Load(Part& part);
  // The part lies in the scratch, put there by an earlier store.
  void Adopt(Part& part, const Scratch::Slot& slot);
  // The part holds `samples` instead; it is in memory.
  void Replace(Part& part, std::vector<std::byte> samples);
  // Takes the part's samples out of the count: its buffer if it is in memory, else an empty one.
  std::vector<std::byte> Remove(Part& part);

  int64_t memory_bytes() const { return memory_bytes_; }
  int64_t memory_bytes_peak() const { return memory_bytes_peak_; }
  int64_t scratch_bytes() const { return scratch_bytes_; }

 private:
  void Count(int64_t bytes);

  Scratch* const scratch_;  // null: none
  const Candidates candidates_;
  int64_t bytes_max_ = std::numeric_limits<int64_t>::max();
  int64_t memory_bytes_ = 0;
  int64_t memory_bytes_peak_ = 0;
  int64_t scratch_bytes_ = 0;
  absl::Status no_room_;  // what the scratch said when it was last asked
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_MERGE_PART_STORE_H_
