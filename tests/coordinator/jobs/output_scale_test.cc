#include "coordinator/jobs/output_scale.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tilewright {
namespace {

using ::testing::HasSubstr;

constexpr Size kInput{101, 50};

v1::RenderRequest RequestFor(uint32_t p, uint32_t q) {
  v1::RenderRequest request;
  request.mutable_output_options()->set_scale_p(p);
  request.mutable_output_options()->set_scale_q(q);
  return request;
}

absl::StatusOr<std::optional<Size>> SizeFor(const v1::RenderRequest& request,
                                            SampleType sample = SampleType::kU8,
                                            bool labels = false) {
  return ResampledSize(request, kInput, {{404, 200}, 3, sample, /*array=*/false, labels});
}

TEST(ResampledSize, IsAskedForAsAFractionOfTheInput) {
  EXPECT_EQ(SizeFor(RequestFor(3, 2)).value(), (Size{152, 75}));
  EXPECT_EQ(SizeFor(RequestFor(1, 3)).value(), (Size{34, 17}));
}

TEST(ResampledSize, IsNoneForTheModelsOwnAndWhereNobodyAsked) {
  EXPECT_EQ(SizeFor(v1::RenderRequest()).value(), std::nullopt);
  EXPECT_EQ(SizeFor(RequestFor(8, 2)).value(), std::nullopt);
}

TEST(ResampledSize, IsRefusedWhereItWouldBreakAPromise) {
  v1::RenderRequest masked = RequestFor(3, 2);
  masked.set_mask("file:///mask.png");
  v1::RenderRequest part = RequestFor(3, 2);
  part.mutable_region()->set_width(8);
  const auto refusal = [](const absl::StatusOr<std::optional<Size>>& size) {
    EXPECT_EQ(size.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(size.status().message());
  };
  EXPECT_THAT(refusal(SizeFor(masked)), HasSubstr("mask"));
  EXPECT_THAT(refusal(SizeFor(part)), HasSubstr("region"));
  EXPECT_THAT(refusal(SizeFor(RequestFor(3, 2), SampleType::kU8, /*labels=*/true)),
              HasSubstr("labels"));
  EXPECT_THAT(refusal(SizeFor(RequestFor(3, 2), SampleType::kF16)), HasSubstr("f16"));
  EXPECT_THAT(refusal(SizeFor(RequestFor(33, 1))), HasSubstr("32"));
  refusal(SizeFor(RequestFor(3, 0)));
  refusal(SizeFor(RequestFor(0, 3)));
}

}  // namespace
}  // namespace tilewright
