#include "worker/engine/dtype_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace tilewright {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A ramp whose values carry a relative error of `error`, by turns up and down.
std::vector<float> Ramp(double error) {
  std::vector<float> values;
  for (int i = 1; i <= 100; ++i) {
    values.push_back(static_cast<float>(i * (1 + (i % 2 == 0 ? error : -error))));
  }
  return values;
}

using Computed = absl::StatusOr<std::vector<float>>;

TEST(DtypeProbe, NamesThoseThatComeNearEnough) {
  EXPECT_THAT(DtypesThatWork([](const std::string& dtype) -> Computed {
                return Ramp(dtype == "fp32" ? 0 : dtype == "fp16" ? 0x1p-11 : 0x1p-8);
              }),
              ElementsAre("fp32", "fp16", "bf16"));
}

TEST(DtypeProbe, NamesNoneThatFailsOrIsWrong) {
  EXPECT_THAT(DtypesThatWork([](const std::string& dtype) -> Computed {
                if (dtype == "fp16") return absl::UnimplementedError("no kernel");
                return Ramp(dtype == "fp32" ? 0 : 0x1p-5);
              }),
              ElementsAre("fp32"));
  EXPECT_THAT(DtypesThatWork([](const std::string& dtype) -> Computed {
                if (dtype == "bf16") return std::vector<float>{1, 2, 3};
                return dtype == "fp32" ? Ramp(0) : std::vector<float>(100, NAN);
              }),
              ElementsAre("fp32"));
}

TEST(DtypeProbe, NamesNothingWithoutAReference) {
  EXPECT_THAT(DtypesThatWork([](const std::string& dtype) -> Computed {
                if (dtype == "fp32") return absl::InternalError("broken");
                return Ramp(0);
              }),
              IsEmpty());
  EXPECT_THAT(
      DtypesThatWork([](const std::string&) -> Computed { return std::vector<float>(100, 0.0f); }),
      IsEmpty())
      << "a device that answers with zeros";
}

}  // namespace
}  // namespace tilewright
