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
DtypeTrial Ramp(double error, double seconds = 1) {
  std::vector<float> values;
  for (int i = 1; i <= 100; ++i) {
    values.push_back(static_cast<float>(i * (1 + (i % 2 == 0 ? error : -error))));
  }
  return {values, seconds};
}

using Computed = absl::StatusOr<DtypeTrial>;

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
                if (dtype == "bf16") return DtypeTrial{{1, 2, 3}, 1};
                return dtype == "fp32" ? Ramp(0) : DtypeTrial{std::vector<float>(100, NAN), 1};
              }),
              ElementsAre("fp32"));
}

TEST(DtypeProbe, NamesNoneThatCrawls) {
  const auto with = [](double fp16_seconds) {
    return DtypesThatWork([fp16_seconds](const std::string& dtype) -> Computed {
      return Ramp(0, dtype == "fp16" ? fp16_seconds : 0.01);
    });
  };
  EXPECT_THAT(with(0.01 * kDtypeSlowdownMax), ElementsAre("fp32", "fp16", "bf16"));
  EXPECT_THAT(with(0.0101 * kDtypeSlowdownMax), ElementsAre("fp32", "bf16"));
}

TEST(DtypeProbe, NamesNothingWithoutAReference) {
  EXPECT_THAT(DtypesThatWork([](const std::string& dtype) -> Computed {
                if (dtype == "fp32") return absl::InternalError("broken");
                return Ramp(0);
              }),
              IsEmpty());
  EXPECT_THAT(DtypesThatWork([](const std::string&) -> Computed {
                return DtypeTrial{std::vector<float>(100, 0.0f), 1};
              }),
              IsEmpty())
      << "a device that answers with zeros";
}

}  // namespace
}  // namespace tilewright
