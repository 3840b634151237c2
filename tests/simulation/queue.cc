#include "tests/simulation/queue.h"

#include <algorithm>

namespace tilewright::simulation {

void Queue::At(Instant at, Step step) {
  heap_.push_back({std::max(at, now_), ++planned_, std::move(step)});
  std::push_heap(heap_.begin(), heap_.end(), Later);
}

bool Queue::Run(Instant end) {
  if (heap_.empty() || heap_.front().at > end) {
    now_ = std::max(now_, end);
    return false;
  }
  std::pop_heap(heap_.begin(), heap_.end(), Later);
  Entry entry = std::move(heap_.back());
  heap_.pop_back();
  now_ = entry.at;
  ++steps_;
  entry.step();
  return true;
}

}  // namespace tilewright::simulation
