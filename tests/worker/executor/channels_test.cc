#include "worker/executor/channels.h"

#include <gtest/gtest.h>

#include <string>

#include "worker/engine/engine.h"

namespace tilewright {
namespace {

absl::StatusOr<ChannelPlan> PlanOf(uint32_t takes, uint32_t gives, int samples_in) {
  v1::ModelManifest manifest;
  manifest.add_inputs()->set_channels(takes);
  manifest.add_outputs()->set_channels(gives);
  return PlanChannels(manifest, samples_in);
}

// The coordinator plans the same numbers (its test of MatchChannels has the same cases).
TEST(PlanChannels, GivesWhatTheCoordinatorExpects) {
  struct Case {
    uint32_t takes, gives;
    int in, out;
  };
  for (const Case& c : {Case{0, 0, 4, 4},
                        {0, 0, 7, 7},
                        {12, 12, 12, 12},
                        {3, 3, 4, 4},
                        {3, 3, 2, 2},
                        {1, 1, 2, 2},
                        {3, 1, 4, 2},
                        {1, 3, 2, 4},
                        {3, 3, 1, 1},
                        {3, 1, 1, 1},
                        {3, 4, 3, 4},
                        {3, 12, 1, 12},
                        {4, 3, 4, 3},
                        {5, 1, 5, 1}}) {
    const auto plan = PlanOf(c.takes, c.gives, c.in);
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_EQ(plan->samples_out, c.out) << c.takes << " to " << c.gives << " of " << c.in;
  }
}

TEST(PlanChannels, RefusesWhatHasNoMeaning) {
  for (const auto& plan : {PlanOf(1, 1, 3), PlanOf(4, 4, 3), PlanOf(3, 4, 4), PlanOf(5, 5, 4),
                           PlanOf(0, 0, 65), PlanOf(0, 0, 0)}) {
    EXPECT_EQ(CauseOf(plan.status()), v1::FAILURE_CAUSE_MODEL_ERROR);
  }
}

TEST(PlanChannels, PutsTheChannelsOfAllInputsTogether) {
  v1::ModelManifest manifest;
  for (const uint32_t takes : {3, 1, 3}) manifest.add_inputs()->set_channels(takes);
  manifest.add_outputs()->set_channels(3);
  const auto plan = PlanChannels(manifest, 7);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->network_in, 7);
  EXPECT_EQ(plan->samples_out, 3);
  EXPECT_FALSE(plan->split_alpha || plan->replicate);
  // Of several inputs none is made up: no grey image is replicated, no alpha left out.
  for (const int samples_in : {1, 3, 4, 8}) {
    EXPECT_EQ(PlanChannels(manifest, samples_in).status().message(),
              "the model's 3 inputs take 7 channels, the tiles have " + std::to_string(samples_in));
  }
}

TEST(ToNetworkChannels, LeavesArraysAsTheyAre) {
  const ChannelPlan plan = PlanOf(5, 3, 5).value();
  const std::vector<float> values = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  EXPECT_EQ(ToNetworkChannels(plan, values), values);
  EXPECT_EQ(FromNetworkChannels(plan, values), values);
}

}  // namespace
}  // namespace tilewright
