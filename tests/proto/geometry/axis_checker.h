// Judges an axis by what it must give, not by how it is computed; for tests. Pure; thread-safe.

#ifndef TILEWRIGHT_TESTS_PROTO_GEOMETRY_AXIS_CHECKER_H_
#define TILEWRIGHT_TESTS_PROTO_GEOMETRY_AXIS_CHECKER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "proto/geometry/axis.h"
#include "proto/geometry/rect.h"

namespace tilewright {

// What an axis says, as plain values, so that a wrong one can be made.
struct Layout {
  AxisOptions options;
  std::vector<Interval> inputs;
  std::vector<Interval> contributions;
  std::vector<AxisSpan> spans;
};

Layout LayoutOf(const Axis& axis);

// "W=52 T=24 H=3 o=4 a=1 scale=2/1".
std::string Describe(const AxisOptions& options);

// INTERNAL, naming the first fault: tiles of another shape, off the image or not aligned;
// contributions less than the halo inside their tile; cuts off the middle; and, by painting every
// contribution, lost pixels, a third contributor, blend zones of another width, spans that are not
// what was painted.
absl::Status CheckLayout(const Layout& layout);

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_PROTO_GEOMETRY_AXIS_CHECKER_H_
