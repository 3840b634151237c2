#include "coordinator/jobs/channel_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

constexpr Channels kGrey{1, false, false};
constexpr Channels kGreyAlpha{2, true, false};
constexpr Channels kColour{3, false, false};
constexpr Channels kColourAlpha{4, true, false};
constexpr Channels Array(int count) { return {count, false, true}; }

absl::StatusOr<ChannelMatch> Match(uint32_t takes, uint32_t gives, const Channels& input) {
  v1::Model model;
  model.set_name("models/m/versions/1");
  model.mutable_manifest()->add_inputs()->set_channels(takes);
  model.mutable_manifest()->add_outputs()->set_channels(gives);
  return MatchChannels(model, input);
}

Channels OutputOf(uint32_t takes, uint32_t gives, const Channels& input) {
  const auto match = Match(takes, gives, input);
  EXPECT_TRUE(match.ok()) << match.status();
  return match.ok() ? match->output : Channels{};
}

TEST(MatchChannels, LetsAnyModelKeepWhatItGets) {
  for (const Channels& input : {kGrey, kGreyAlpha, kColour, kColourAlpha, Array(4), Array(7)}) {
    EXPECT_EQ(OutputOf(0, 0, input), input);
    EXPECT_FALSE(Match(0, 0, input)->alpha_beside);
  }
  EXPECT_EQ(OutputOf(4, 4, kColourAlpha), kColourAlpha);
  EXPECT_EQ(OutputOf(12, 12, Array(12)), Array(12));
}

TEST(MatchChannels, PutsAlphaBesideAPicture) {
  EXPECT_EQ(OutputOf(3, 3, kColourAlpha), kColourAlpha);
  EXPECT_EQ(OutputOf(3, 3, kGreyAlpha), kGreyAlpha);
  EXPECT_EQ(OutputOf(1, 1, kGreyAlpha), kGreyAlpha);
  EXPECT_EQ(OutputOf(3, 1, kColourAlpha), kGreyAlpha);
  EXPECT_EQ(OutputOf(1, 3, kGreyAlpha), kColourAlpha);
  EXPECT_TRUE(Match(3, 3, kColourAlpha)->alpha_beside);
}

TEST(MatchChannels, AveragesWhatIsGreyAndWasReplicated) {
  EXPECT_EQ(OutputOf(3, 3, kGrey), kGrey);
  EXPECT_EQ(OutputOf(3, 1, kGrey), kGrey);
}

TEST(MatchChannels, CallsAnArrayWhatIsNoPicture) {
  EXPECT_EQ(OutputOf(3, 4, kColour), Array(4));
  EXPECT_EQ(OutputOf(3, 12, kGrey), Array(12));
  EXPECT_EQ(OutputOf(4, 3, Array(4)), kColour);
  EXPECT_EQ(OutputOf(4, 3, kColourAlpha), kColour);
  EXPECT_EQ(OutputOf(3, 1, kColour), kGrey);
  EXPECT_EQ(OutputOf(5, 1, Array(5)), kGrey);
}

TEST(MatchChannels, RefusesWhatItWouldHaveToGuess) {
  const auto refusal = [](const absl::StatusOr<ChannelMatch>& match) {
    EXPECT_EQ(ReasonOf(match.status()), "CHANNEL_MISMATCH");
    return std::string(match.status().message());
  };
  EXPECT_THAT(refusal(Match(1, 1, kColour)), HasSubstr("is a colour image"));
  EXPECT_THAT(refusal(Match(4, 4, kColour)), HasSubstr("takes 4 channels"));
  EXPECT_THAT(refusal(Match(3, 3, Array(4))), HasSubstr("is a 4-channel image"));
  EXPECT_THAT(refusal(Match(3, 4, kColourAlpha)), HasSubstr("remove it from the image"));
  EXPECT_THAT(refusal(Match(5, 5, Array(4))), HasSubstr("takes 5 channels"));
}

TEST(MatchChannels, MakesUpNothingWhereAModelTakesMoreThanTheImage) {
  v1::Model model;
  model.set_name("models/m/versions/1");
  for (const uint32_t takes : {3, 1}) model.mutable_manifest()->add_inputs()->set_channels(takes);
  model.mutable_manifest()->add_outputs()->set_channels(3);
  const auto colour = MatchChannels(model, kColour);
  ASSERT_TRUE(colour.ok()) << colour.status();
  EXPECT_EQ(colour->output, kColour);
  for (const Channels& input : {kGrey, kGreyAlpha, kColourAlpha, Array(4)}) {
    const absl::Status refused = MatchChannels(model, input).status();
    EXPECT_EQ(ReasonOf(refused), "CHANNEL_MISMATCH");
    EXPECT_THAT(std::string(refused.message()),
                HasSubstr("which takes more than the image, wants one of exactly 3 channels"));
  }
}

TEST(MatchChannels, CallsLogitsAnArrayAndPutsNothingBesideThem) {
  v1::Model model;
  model.set_name("models/m/versions/1");
  model.mutable_manifest()->add_inputs()->set_channels(3);
  v1::TensorManifest* const output = model.mutable_manifest()->add_outputs();
  output->set_channels(3);
  output->set_decision(v1::DECISION_KIND_GREATEST);
  for (const Channels& input : {kColour, kGrey}) {
    const auto match = MatchChannels(model, input);
    ASSERT_TRUE(match.ok()) << match.status();
    EXPECT_EQ(match->output, Array(3));
  }
  EXPECT_THAT(MatchChannels(model, kColourAlpha).status().message(),
              HasSubstr("the input has an alpha channel, and beside the 3 channels"));
}

}  // namespace
}  // namespace tilewright
