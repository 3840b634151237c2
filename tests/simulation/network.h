// The network between one worker and the coordinator: streams that deliver in order, late, until
// they break; what was under way then arrives up to some message. Nothing is promised across
// streams. Not thread-safe; pure.

#ifndef TILEWRIGHT_TESTS_SIMULATION_NETWORK_H_
#define TILEWRIGHT_TESTS_SIMULATION_NETWORK_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "proto/base/instant.h"
#include "tests/simulation/queue.h"
#include "tests/simulation/random.h"

namespace tilewright::simulation {

enum class Direction { kUp = 0, kDown = 1 };  // up: to the coordinator

// What the streams of one worker share.
struct Line {
  Line(uint64_t seed, uint64_t source) : random(Random::For(seed, source)) {}
  Random random;
  absl::Duration latency = absl::Milliseconds(1);
  double bytes_per_second = 1e8;
  std::array<Instant, 2> blocked_until{};  // by direction
  Instant BlockedUntil(Direction d) const { return blocked_until[static_cast<size_t>(d)]; }
};

// One direction of one stream. Kept alive by what is under way.
template <typename Message>
class Pipe : public std::enable_shared_from_this<Pipe<Message>> {
 public:
  using Deliver = std::function<void(Message)>;
  Pipe(Queue& queue, Line& line, Direction direction, Deliver deliver)
      : queue_(queue), line_(line), direction_(direction), deliver_(std::move(deliver)) {}

  // Nothing happens on a broken stream.
  void Send(Message message, int64_t bytes = 100) {
    if (broken_) return;
    const absl::Duration transfer =
        absl::Seconds(static_cast<double>(bytes) / line_.bytes_per_second);
    sent_until_ = std::max(sent_until_, queue_.now()) + transfer;
    absl::Duration delay = line_.latency * line_.random.Real(0.5, 1.5);
    if (line_.random.Chance(0.01)) delay *= 20;
    last_ = std::max(last_, sent_until_ + delay);
    under_way_.push_back({last_, std::move(message)});
    Plan();
  }

  // Some prefix of what is under way still arrives. Returns when the last of it does, at the
  // earliest.
  Instant Break() {
    if (broken_) return queue_.now();
    broken_ = true;
    const int64_t kept = line_.random.Below(static_cast<int64_t>(under_way_.size()) + 1);
    under_way_.erase(under_way_.begin() + kept, under_way_.end());
    return under_way_.empty() ? queue_.now()
                              : std::max(under_way_.back().first, line_.BlockedUntil(direction_));
  }
  // Nothing arrives any more: the receiver is dead.
  void Close() {
    broken_ = true;
    under_way_.clear();
  }
  bool broken() const { return broken_; }

 private:
  void Plan() {
    if (planned_ || under_way_.empty()) return;
    planned_ = true;
    queue_.At(std::max(under_way_.front().first, line_.BlockedUntil(direction_)),
              [self = this->shared_from_this()] { self->Arrive(); });
  }
  void Arrive() {
    while (!under_way_.empty() && under_way_.front().first <= queue_.now() &&
           line_.BlockedUntil(direction_) <= queue_.now()) {
      Message message = std::move(under_way_.front().second);
      under_way_.pop_front();
      deliver_(std::move(message));
    }
    planned_ = false;
    Plan();
  }

  Queue& queue_;
  Line& line_;
  const Direction direction_;
  const Deliver deliver_;
  std::deque<std::pair<Instant, Message>> under_way_;
  Instant sent_until_;  // when the sender has put everything on the wire
  Instant last_;        // when the last message arrives, at the earliest
  bool broken_ = false;
  bool planned_ = false;  // Invariant: set while an Arrive is planned or runs
};

}  // namespace tilewright::simulation

#endif  // TILEWRIGHT_TESTS_SIMULATION_NETWORK_H_
