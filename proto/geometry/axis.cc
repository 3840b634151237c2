#include "proto/geometry/axis.h"

#include <algorithm>
#include <cassert>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

int64_t RoundDown(int64_t value, int64_t multiple) { return value / multiple * multiple; }
int64_t RoundUp(int64_t value, int64_t multiple) {
  return RoundDown(value + multiple - 1, multiple);
}

// "must be a multiple of 4: 8 and 12 are", for a value ≥ 0 that is not one.
std::string Neighbours(int64_t value, int64_t multiple) {
  const int64_t below = RoundDown(value, multiple);
  return absl::StrCat("a multiple of ", multiple, ": ", below, " and ", below + multiple, " are");
}

absl::Status CheckMultiples(const AxisOptions& o) {
  const int64_t q = o.scale.q();
  if (o.size <= 0 || o.tile <= 0 || o.alignment <= 0 || o.halo < 0 || o.overlap < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "size ", o.size, ", tile ", o.tile, " and alignment ", o.alignment,
        " must be positive, halo ", o.halo, " and overlap ", o.overlap, " not negative"));
  }
  if (o.size > Axis::kMaxLength || o.halo > Axis::kMaxLength || o.overlap > Axis::kMaxLength) {
    return absl::ResourceExhaustedError(absl::StrCat("size ", o.size, ", halo ", o.halo,
                                                     " and overlap ", o.overlap,
                                                     " must be at most ", Axis::kMaxLength));
  }
  if (o.alignment % q != 0) {
    return absl::InvalidArgumentError(absl::StrCat("alignment ", o.alignment, " at scale ",
                                                   o.scale.p(), "/", q, " must be ",
                                                   Neighbours(o.alignment, q)));
  }
  if (o.size % o.alignment != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("padded size ", o.size, " must be ", Neighbours(o.size, o.alignment)));
  }
  if (o.tile % o.alignment != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("tile ", o.tile, " must be ", Neighbours(o.tile, o.alignment)));
  }
  if (o.tile > o.size) {
    return absl::InvalidArgumentError(
        absl::StrCat("tile ", o.tile, " is longer than the padded size ", o.size));
  }
  if (q == 1 && o.overlap % 2 != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "overlap ", o.overlap, " must be even: ", o.overlap - 1, " and ", o.overlap + 1, " are"));
  }
  if (o.overlap % (2 * q) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("overlap ", o.overlap, " at scale ", o.scale.p(),
                                                   "/", q, " must be ",
                                                   Neighbours(o.overlap, 2 * q)));
  }
  if (o.halo % q != 0) {
    return absl::InvalidArgumentError(absl::StrCat("halo ", o.halo, " at scale ", o.scale.p(), "/",
                                                   q, " must be ", Neighbours(o.halo, q)));
  }
  return absl::OkStatus();
}

// OK if a tile has room for halo, blend zones and a step on an axis that needs more than one.
absl::Status CheckRoom(const AxisOptions& o) {
  const int64_t needed = 2 * o.halo + 3 * o.overlap + 2 * o.alignment;
  if (o.tile >= needed) return absl::OkStatus();

  std::string message = o.overlap > 0
                            ? absl::StrCat("overlap ", o.overlap, " is too big for tile ", o.tile,
                                           " at halo ", o.halo)
                            : absl::StrCat("halo ", o.halo, " is too big for tile ", o.tile);
  const std::string sum =
      absl::StrCat("2*", o.halo, "+3*", o.overlap, "+2*", o.alignment, " = ", needed);
  const int64_t tile_min = RoundUp(needed, o.alignment);
  if (tile_min >= o.size) {
    absl::StrAppend(&message, ": the tile must be at least ", o.size,
                    ", the whole padded size (a part of it needs ", sum, ")");
  } else if (tile_min > needed) {
    absl::StrAppend(&message, ": the tile must be at least ", sum, ", as a multiple of ",
                    o.alignment, " ", tile_min);
  } else {
    absl::StrAppend(&message, ": the tile must be at least ", sum);
  }
  const int64_t q = o.scale.q();
  const int64_t overlap_room = o.tile - 2 * o.halo - 2 * o.alignment;
  const int64_t halo_room = o.tile - 3 * o.overlap - 2 * o.alignment;
  if (o.overlap > 0 && overlap_room >= 0) {
    absl::StrAppend(&message, ", or the overlap at most ", RoundDown(overlap_room / 3, 2 * q));
  } else if (o.overlap == 0 && halo_room >= 0) {
    absl::StrAppend(&message, ", or the halo at most ", RoundDown(halo_room / 2, q));
  }
  return absl::InvalidArgumentError(message);
}

}  // namespace

absl::StatusOr<Axis> Axis::Create(const AxisOptions& options) {
  TW_RETURN_IF_ERROR(CheckMultiples(options));
  const int64_t a = options.alignment, q = options.scale.q(), half = options.overlap / 2;
  const int64_t steps = (options.size - options.tile) / a;  // D

  Axis axis(options);
  axis.origins_.push_back(0);
  if (steps > 0) {
    TW_RETURN_IF_ERROR(CheckRoom(options));
    const int64_t stride = (options.tile - 2 * options.halo - options.overlap) / a;  // S ≥ 1
    const int64_t gaps = (steps + stride - 1) / stride;                              // n - 1
    if (gaps + 1 > kMaxTiles) {
      return absl::ResourceExhaustedError(
          absl::StrCat("size ", options.size, " in tiles of ", options.tile, " makes ", gaps + 1,
                       " tiles on one axis, above ", kMaxTiles, ": use a larger tile"));
    }
    for (int64_t i = 1; i <= gaps; ++i) {
      axis.origins_.push_back(a * (i * steps / gaps));
      const size_t last = axis.origins_.size() - 1;
      const int64_t both = axis.origins_[last - 1] + axis.origins_[last] + options.tile;
      axis.cuts_.push_back(RoundDown(both / 2, q));
    }
  }

  int64_t begin = 0;
  const auto add = [&axis, &begin](int64_t end, int64_t first_tile, bool blended) {
    const Scale& scale = axis.options_.scale;
    axis.spans_.push_back({{scale.Exact(begin), scale.Exact(end)}, first_tile, blended});
    assert(begin < end);
    begin = end;
  };
  for (size_t i = 0; i < axis.cuts_.size(); ++i) {
    const int64_t tile = static_cast<int64_t>(i);
    add(axis.cuts_[i] - half, tile, false);
    if (half > 0) add(axis.cuts_[i] + half, tile, true);
  }
  add(options.size, axis.tile_count() - 1, false);
  return axis;
}

Interval Axis::Input(int64_t i) const {
  const int64_t origin = origins_[static_cast<size_t>(i)];
  return {origin, origin + options_.tile};
}

Interval Axis::Contribution(int64_t i) const {
  const int64_t half = options_.overlap / 2;
  const int64_t begin = i == 0 ? 0 : Cut(i - 1) - half;
  const int64_t end = i == tile_count() - 1 ? options_.size : Cut(i) + half;
  return {options_.scale.Exact(begin), options_.scale.Exact(end)};
}

}  // namespace tilewright
