// Where results are computed to: slots of the memory that is shared with the coordinator, if there
// is some and has room. Belongs to the computing thread.

#ifndef TILEWRIGHT_WORKER_LINK_RESULT_SLOTS_H_
#define TILEWRIGHT_WORKER_LINK_RESULT_SLOTS_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

#include "proto/wire/segment.h"
#include "worker/executor/tile_samples.h"

namespace tilewright {

class ResultSlots final : public ResultMemory {
 public:
  // `segment` says what is shared now; null: nothing. `deliver` hands over all results that are
  // finished: they hold slots until the coordinator has answered them.
  ResultSlots(std::function<std::shared_ptr<Segment>()> segment, std::function<void()> deliver)
      : segment_(std::move(segment)), deliver_(std::move(deliver)) {}

  // What is taken from now on becomes finished together.
  void BeginBatch() { batch_has_slots_ = false; }
  // Slots, else memory of this process. Waits for slots only while the coordinator can give some
  // back: not once the batch holds slots itself, nor again after a wait in vain.
  TileSamples Take(size_t bytes) override;

 private:
  const std::function<std::shared_ptr<Segment>()> segment_;
  const std::function<void()> deliver_;
  bool batch_has_slots_ = false;
  bool slots_move_ = true;  // the latest wait for slots, if any, was not in vain
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_LINK_RESULT_SLOTS_H_
