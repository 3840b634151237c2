// The samples of a computed tile and the memory they lie in: this process's own, or slots that it
// shares with the coordinator, so that nothing copies them before the coordinator does. Belongs to
// one thread.

#ifndef TILEWRIGHT_WORKER_EXECUTOR_TILE_SAMPLES_H_
#define TILEWRIGHT_WORKER_EXECUTOR_TILE_SAMPLES_H_

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "proto/wire/slots.h"

namespace tilewright {

// Movable. Slots are free again when this is gone and nobody else holds slots().
class TileSamples {
 public:
  TileSamples() = default;
  TileSamples(std::vector<std::byte> own) : own_(std::move(own)) {}  // NOLINT: either will do
  TileSamples(std::shared_ptr<SlottedPayload> slots)                 // NOLINT
      : slots_(std::move(slots)) {}

  size_t size() const { return slots_ ? slots_->size() : own_.size(); }
  absl::Span<std::byte> bytes() { return slots_ ? slots_->bytes() : absl::MakeSpan(own_); }
  absl::Span<const std::byte> bytes() const {
    return slots_ ? std::as_const(*slots_).bytes() : absl::MakeConstSpan(own_);
  }

  // One of the two holds the samples: slots, unless null, or memory of this process.
  std::shared_ptr<const SlottedPayload> slots() const { return slots_; }
  std::vector<std::byte> TakeOwn() && { return std::move(own_); }

 private:
  std::vector<std::byte> own_;  // empty if slots_ is set
  std::shared_ptr<SlottedPayload> slots_;
};

// Gives memory to results.
class ResultMemory {
 public:
  virtual ~ResultMemory() = default;
  // Memory of exactly `bytes` bytes with any contents. May wait for slots, for a moment.
  virtual TileSamples Take(size_t bytes) = 0;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_EXECUTOR_TILE_SAMPLES_H_
