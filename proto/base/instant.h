// A point on a steady clock, as the duration since that clock's start. Never a wall-clock time,
// never on the wire. A value type; pure.

#ifndef TILEWRIGHT_PROTO_BASE_INSTANT_H_
#define TILEWRIGHT_PROTO_BASE_INSTANT_H_

#include <compare>

#include "absl/time/time.h"

namespace tilewright {

class Instant {
 public:
  // The clock's start.
  constexpr Instant() = default;
  static constexpr Instant FromStart(absl::Duration since_start) { return Instant(since_start); }
  // Later than every other instant: "no deadline".
  static Instant Never() { return Instant(absl::InfiniteDuration()); }

  constexpr absl::Duration since_start() const { return since_start_; }

  friend Instant operator+(Instant at, absl::Duration d) { return Instant(at.since_start_ + d); }
  friend Instant operator-(Instant at, absl::Duration d) { return Instant(at.since_start_ - d); }
  friend absl::Duration operator-(Instant a, Instant b) { return a.since_start_ - b.since_start_; }
  friend bool operator==(Instant a, Instant b) { return a.since_start_ == b.since_start_; }
  friend std::strong_ordering operator<=>(Instant a, Instant b) {
    if (a.since_start_ < b.since_start_) return std::strong_ordering::less;
    if (b.since_start_ < a.since_start_) return std::strong_ordering::greater;
    return std::strong_ordering::equal;
  }

 private:
  constexpr explicit Instant(absl::Duration since_start) : since_start_(since_start) {}

  absl::Duration since_start_ = absl::ZeroDuration();
};

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_BASE_INSTANT_H_
