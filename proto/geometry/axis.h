// The axis rule: how one axis of a padded image is covered by tiles of one length, which part of
// the output each tile contributes, and where neighbours blend. Immutable after creation, so
// thread-safe; pure.
//
// With D = (W - T) / a and S = floor((T - 2H - o) / a) there are n = 1 + ceil(D / S) tiles with
// origins a * floor(i * D / (n - 1)). A tile is valid up to H from its interior sides. The cut b_i
// is the middle of what tiles i and i + 1 both hold valid, rounded down to a multiple of q; tile i
// contributes to [b_(i-1) - o/2, b_i + o/2) and to nothing else. So every output pixel has one or
// two contributors, every blend zone is exactly o wide (times p / q), and every contribution lies
// at least H inside its tile's interior sides.

#ifndef TILEWRIGHT_PROTO_GEOMETRY_AXIS_H_
#define TILEWRIGHT_PROTO_GEOMETRY_AXIS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/geometry/rect.h"
#include "proto/geometry/scale.h"

namespace tilewright {

// Everything in input pixels.
struct AxisOptions {
  int64_t size = 0;  // W, padded: a multiple of `alignment`
  int64_t tile = 0;  // T ≤ W, a multiple of `alignment`
  int64_t halo =
      0;  // H, context computed and thrown away on each interior side; a multiple of scale.q()
  int64_t overlap =
      0;  // o, width of the blend zone; even, half of it a multiple of scale.q(); 0 is a hard cut
  int64_t alignment = 1;  // a, tile origins are multiples of it; itself a multiple of scale.q()
  Scale scale;
};

// A stretch of the output axis with one set of contributing tiles: `first_tile` alone, or with its
// successor.
struct AxisSpan {
  Interval output;
  int64_t first_tile = 0;
  bool blended = false;  // true: first_tile and first_tile + 1 contribute
  friend bool operator==(const AxisSpan&, const AxisSpan&) = default;
};

class Axis {
 public:
  // Bounds of what is planned, beyond every image format: pixels and tiles of one axis.
  static constexpr int64_t kMaxLength = int64_t{1} << 30;
  static constexpr int64_t kMaxTiles = int64_t{1} << 20;

  // INVALID_ARGUMENT, with the numbers that would work: more than one tile and T < 2H + 3o + 2a, or
  // a quantity that is not the multiple it must be (one tile has no cut: its halo and overlap may
  // be any such multiples). RESOURCE_EXHAUSTED beyond kMaxLength or kMaxTiles.
  static absl::StatusOr<Axis> Create(const AxisOptions& options);

  const AxisOptions& options() const { return options_; }
  int64_t tile_count() const { return static_cast<int64_t>(origins_.size()); }
  // The input pixels of tile i: always `tile` long, inside [0, size).
  Interval Input(int64_t i) const;
  // b_i, the middle of the blend zone between tiles i and i + 1, in input pixels. 0 ≤ i <
  // tile_count() - 1.
  int64_t Cut(int64_t i) const { return cuts_[static_cast<size_t>(i)]; }
  // The output pixels that tile i contributes, blend zones included; up to the padded output's end.
  Interval Contribution(int64_t i) const;
  // The padded output, in order, without gap or overlap, none empty: 2 * tile_count() - 1 spans
  // (tile_count() if overlap is 0).
  const std::vector<AxisSpan>& spans() const { return spans_; }

 private:
  explicit Axis(const AxisOptions& options) : options_(options) {}

  AxisOptions options_;
  std::vector<int64_t> origins_;
  std::vector<int64_t> cuts_;
  std::vector<AxisSpan> spans_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_GEOMETRY_AXIS_H_
