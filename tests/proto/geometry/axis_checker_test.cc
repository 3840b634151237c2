// The checker's controls: wrong layouts that it must name.

#include "tests/proto/geometry/axis_checker.h"

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "proto/geometry/axis.h"

namespace tilewright {
namespace {

// T = 24, H = 3, o = 4, three tiles without slack: every step is S.
Layout Tight() {
  const AxisOptions o = {24 + 2 * 14, 24, 3, 4, 1, *Scale::Create(2, 1)};
  return LayoutOf(*Axis::Create(o));
}

struct Fault {
  const char* name;
  const char* sentence;
  std::function<void(Layout&)> make;
};

class AxisChecker : public testing::TestWithParam<Fault> {};

TEST_P(AxisChecker, NamesTheFault) {
  Layout layout = Tight();
  ASSERT_TRUE(CheckLayout(layout).ok()) << CheckLayout(layout);
  GetParam().make(layout);
  const absl::Status status = CheckLayout(layout);
  ASSERT_FALSE(status.ok()) << "the checker let a wrong layout pass";
  EXPECT_TRUE(absl::StrContains(status.message(), GetParam().sentence)) << status;
}

INSTANTIATE_TEST_SUITE_P(
    Faults, AxisChecker,
    testing::Values(Fault{"HaloOneShort", "contributes less than the halo inside",
                          [](Layout& l) {
                            // Planned for H - 1 with the same steps, judged by H.
                            l = LayoutOf(
                                *Axis::Create({l.options.size, l.options.tile, l.options.halo - 1,
                                               l.options.overlap + 2, 1, l.options.scale}));
                            l.options.halo += 1;
                            l.options.overlap -= 2;
                          }},
                    Fault{"LostPixel", "pixel 20 is lost",
                          [](Layout& l) {
                            // Two tiles that each leave a pixel at the cut to the other; the cut
                            // itself stays in the middle.
                            l = LayoutOf(*Axis::Create({24 + 2 * 18, 24, 3, 0, 1, Scale()}));
                            l.contributions[0].end -= 1;
                            l.contributions[1].begin += 1;
                          }},
                    Fault{"ZoneTooWide", "wide, not 8",
                          [](Layout& l) {
                            // Symmetric about the cut, so that only the width is wrong; the halo is
                            // forgiven.
                            l.options.halo = 0;
                            l.contributions[0].end += 1;
                            l.contributions[1].begin -= 1;
                          }},
                    Fault{"ThirdContributor", "third contributor",
                          [](Layout& l) {
                            // The rule carried out where it refuses: the blend zones run into each
                            // other.
                            l.options = {16, 12, 0, 10, 1, Scale()};
                            l.inputs = {{0, 12}, {2, 14}, {4, 16}};
                            l.contributions = l.inputs;
                          }},
                    Fault{"CutOffTheMiddle", "is not in the middle",
                          [](Layout& l) {
                            l.options.halo = 0;
                            l.contributions[0].end += 4;
                            l.contributions[1].begin += 4;
                          }},
                    Fault{"TileLeftOut", "2 tiles, not 3",
                          [](Layout& l) {
                            l.inputs.pop_back();
                            l.contributions.pop_back();
                          }},
                    Fault{"ShiftedTile", "another shape or leaves the image",
                          [](Layout& l) { l.inputs[2].end += 1, l.inputs[2].begin += 1; }},
                    Fault{"UnalignedTile", "is not aligned",
                          [](Layout& l) {
                            l.options.alignment = 2, l.inputs[1] = {13, 37};
                          }},
                    Fault{"WrongSpan", "the spans are not what was painted",
                          [](Layout& l) { l.spans[1].blended = false; }},
                    Fault{"MissingSpan", "the spans are not what was painted",
                          [](Layout& l) { l.spans.pop_back(); }}),
    [](const testing::TestParamInfo<Fault>& fault) { return std::string(fault.param.name); });

}  // namespace
}  // namespace tilewright
