#include "coordinator/schedule/deadlines.h"

#include <algorithm>

namespace tilewright::schedule {

bool Deadlines::Later(const Entry& a, const Entry& b) {
  if (a.at != b.at) return a.at > b.at;
  return a.timer > b.timer;
}

void Deadlines::Push(Timer timer, Instant at) {
  heap_.push_back({at, timer});
  std::push_heap(heap_.begin(), heap_.end(), Later);
}

void Deadlines::Set(Timer timer, Instant at) {
  if (at == Instant::Never()) {
    Clear(timer);
    return;
  }
  auto [it, inserted] = slots_.try_emplace(timer, Slot{at, at});
  if (inserted) {
    Push(timer, at);
  } else {
    it->second.at = at;
    if (at < it->second.queued) {
      it->second.queued = at;
      Push(timer, at);
    }
  }
  if (heap_.size() > 64 + 4 * slots_.size()) Rebuild();
}

void Deadlines::Clear(Timer timer) {
  slots_.erase(timer);
  if (heap_.size() > 64 + 4 * slots_.size()) Rebuild();
}

Instant Deadlines::At(Timer timer) const {
  auto it = slots_.find(timer);
  return it == slots_.end() ? Instant::Never() : it->second.at;
}

void Deadlines::Rebuild() {
  heap_.clear();
  for (auto& [timer, slot] : slots_) {
    slot.queued = slot.at;
    heap_.push_back({slot.at, timer});
  }
  std::make_heap(heap_.begin(), heap_.end(), Later);
}

void Deadlines::Settle() {
  while (!heap_.empty()) {
    const Entry top = heap_.front();
    auto it = slots_.find(top.timer);
    const bool stale = it == slots_.end() || it->second.queued != top.at;
    if (!stale && it->second.at == top.at) return;
    std::pop_heap(heap_.begin(), heap_.end(), Later);
    heap_.pop_back();
    if (stale) continue;
    it->second.queued = it->second.at;
    Push(top.timer, it->second.at);
  }
}

Instant Deadlines::Next() {
  Settle();
  return heap_.empty() ? Instant::Never() : heap_.front().at;
}

std::optional<Timer> Deadlines::PopDue(Instant now) {
  Settle();
  if (heap_.empty() || heap_.front().at > now) return std::nullopt;
  const Timer timer = heap_.front().timer;
  std::pop_heap(heap_.begin(), heap_.end(), Later);
  heap_.pop_back();
  slots_.erase(timer);
  return timer;
}

}  // namespace tilewright::schedule
