// The axis rule over all sizes below 20 tiles for many tiles, halos, overlaps, alignments and
// scales.

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "proto/base/status_macros.h"
#include "proto/geometry/axis.h"
#include "tests/proto/base/sanitized.h"
#include "tests/proto/geometry/axis_checker.h"

namespace tilewright {
namespace {

// Every size from one tile to below 20 (every seventh under a sanitizer); the number of axes made,
// or what went wrong.
absl::StatusOr<int64_t> CheckAllSizes(AxisOptions o) {
  const int64_t step = (kSanitized ? 7 : 1) * o.alignment;
  int64_t made = 0;
  for (o.size = o.tile; o.size < 20 * o.tile; o.size += step) {
    const bool refused = o.size > o.tile && o.tile < 2 * o.halo + 3 * o.overlap + 2 * o.alignment;
    const absl::StatusOr<Axis> axis = Axis::Create(o);
    if (refused) {
      if (axis.status().code() != absl::StatusCode::kInvalidArgument) {
        return absl::InternalError(
            absl::StrCat("not refused: ", Describe(o), ": ", axis.status().ToString()));
      }
      continue;
    }
    if (!axis.ok()) return Annotate(axis.status(), absl::StrCat("refused: ", Describe(o)));
    TW_RETURN_IF_ERROR(CheckLayout(LayoutOf(*axis)));
    ++made;
  }
  return made;
}

struct Sweep {
  int64_t alignment, p, q, tiles_max;  // tiles in multiples of the alignment
};

class AxisRule : public testing::TestWithParam<Sweep> {};

TEST_P(AxisRule, HoldsForAllSizesBelowTwentyTiles) {
  const Sweep sweep = GetParam();
  AxisOptions o;
  o.alignment = sweep.alignment;
  o.scale = *Scale::Create(sweep.p, sweep.q);
  int64_t made = 0;
  for (int64_t k = 1; k <= sweep.tiles_max; ++k) {
    o.tile = k * o.alignment;
    for (o.halo = 0; o.halo <= 4 * sweep.q; o.halo += sweep.q) {
      for (o.overlap = 0; o.overlap <= 8 * sweep.q; o.overlap += 2 * sweep.q) {
        const absl::StatusOr<int64_t> count = CheckAllSizes(o);
        ASSERT_TRUE(count.ok()) << count.status();
        made += *count;
      }
    }
  }
  EXPECT_GT(made, 1000) << "the sweep refused nearly everything, so it proved little";
}

INSTANTIATE_TEST_SUITE_P(Sweeps, AxisRule,
                         testing::Values(Sweep{1, 1, 1, 28}, Sweep{1, 4, 1, 20}, Sweep{1, 3, 1, 16},
                                         Sweep{2, 1, 1, 16}, Sweep{2, 1, 2, 20}, Sweep{2, 3, 2, 20},
                                         Sweep{3, 2, 3, 20}, Sweep{4, 3, 2, 12}, Sweep{4, 1, 4, 24},
                                         Sweep{4, 4, 1, 10}, Sweep{5, 1, 1, 10}, Sweep{8, 1, 8, 30},
                                         Sweep{8, 4, 1, 8}),
                         [](const testing::TestParamInfo<Sweep>& sweep) {
                           return absl::StrCat("Alignment", sweep.param.alignment, "Scale",
                                               sweep.param.p, "Over", sweep.param.q);
                         });

TEST(AxisRuleAtRealSizes, HoldsForTheTilesOfRealModels) {
  for (const int64_t tile : {128, 256, 512}) {
    for (const int64_t halo : {0, 18, 34}) {
      for (const int64_t overlap : {0, 16, 32, 128}) {
        for (const int64_t alignment : {1, 8, 64}) {
          AxisOptions o = {0, tile, halo, overlap, alignment, *Scale::Create(2, 1)};
          for (o.size = tile; o.size < 20 * tile; o.size += 61 * alignment) {
            if (o.size > tile && tile < 2 * halo + 3 * overlap + 2 * alignment) {
              EXPECT_FALSE(Axis::Create(o).ok()) << Describe(o);
              continue;
            }
            const absl::StatusOr<Axis> axis = Axis::Create(o);
            ASSERT_TRUE(axis.ok()) << axis.status();
            const absl::Status status = CheckLayout(LayoutOf(*axis));
            ASSERT_TRUE(status.ok()) << status;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace tilewright
