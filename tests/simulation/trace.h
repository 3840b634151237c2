// What happened, one line an event. The columns are described in README.md. Not thread-safe.

#ifndef TILEWRIGHT_TESTS_SIMULATION_TRACE_H_
#define TILEWRIGHT_TESTS_SIMULATION_TRACE_H_

#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/simulation/queue.h"

namespace tilewright::simulation {

class Trace {
 public:
  // Nothing is written without a stream.
  Trace(const Queue& queue, std::ostream* out) : queue_(queue), out_(out) {}
  bool on() const { return out_ != nullptr; }

  // `actor` is a worker, "c" with its epoch, "user" or "world"; `what` one word.
  template <typename... Parts>
  void Line(const std::string& actor, const char* what, const Parts&... parts) {
    if (out_ == nullptr) return;
    *out_ << absl::StrFormat("%12.6f %8d %-8s %-14s ",
                             absl::ToDoubleSeconds(queue_.now().since_start()), queue_.steps(),
                             actor, what)
          << absl::StrCat(parts...) << "\n";
  }

 private:
  const Queue& queue_;
  std::ostream* out_;
};

}  // namespace tilewright::simulation

#endif  // TILEWRIGHT_TESTS_SIMULATION_TRACE_H_
