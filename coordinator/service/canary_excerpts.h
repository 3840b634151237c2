// Excerpts of what canaries gave, by numeric class: what the report of a job knows of how far its
// classes lie apart. Pure; not thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_CANARY_EXCERPTS_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_CANARY_EXCERPTS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace tilewright {

class CanaryExcerpts {
 public:
  static constexpr size_t kValuesMax = 16'384;   // of one excerpt: 64 KiB
  static constexpr size_t kClassesMax = 64;      // kept: 4 MiB
  static constexpr size_t kClassBytesMax = 128;  // of a class's name

  // `excerpt` is as in v1::CanaryResult. A class is the digest of the whole output, so it names the
  // stage as well, and its first excerpt is as good as any later one. Beyond kClassesMax the class
  // that was sent longest ago is forgotten; all are with the process, as the scheduler's classes
  // are. An empty class (the canary failed) or excerpt is nothing to keep, and OK.
  // INVALID_ARGUMENT, and nothing is kept: a number of bytes that is none of f32 values, a value
  // that is not finite. RESOURCE_EXHAUSTED: more values or a longer name than the limits.
  absl::Status Keep(const std::string& numeric_class, absl::string_view excerpt);

  // The largest absolute difference, at one place, between two of these classes of one stage. What
  // differs only beside the excerpt, or only in another slot of the batch, is not seen. Classes
  // without an excerpt, environment keys among them, do not take part, nor do excerpts of other
  // lengths, so of other places, than the first. nullopt: fewer than two are known.
  std::optional<double> LargestDifference(const std::set<std::string>& classes) const;

 private:
  struct Excerpt {
    std::vector<float> values;  // Invariant: finite, 1 to kValuesMax.
    uint64_t sent = 0;          // number of the call of Keep that sent it last
  };

  std::map<std::string, Excerpt> by_class_;  // Invariant: at most kClassesMax.
  uint64_t calls_ = 0;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_CANARY_EXCERPTS_H_
