#include "coordinator/service/canary_excerpts.h"

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace tilewright {
namespace {

std::string BytesOf(const std::vector<float>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

class CanaryExcerptsTest : public testing::Test {
 protected:
  void Keep(const std::string& numeric_class, const std::vector<float>& values) {
    const absl::Status kept = excerpts_.Keep(numeric_class, BytesOf(values));
    ASSERT_TRUE(kept.ok()) << kept;
  }
  CanaryExcerpts excerpts_;
};

TEST_F(CanaryExcerptsTest, FindsThePlantedDifferenceWhereverItIs) {
  std::vector<float> values(CanaryExcerpts::kValuesMax, 0.75f);
  Keep("plain", values);
  for (const size_t place : {size_t{0}, values.size() / 3, values.size() - 1}) {
    for (const float step : {0.25f, -0.25f}) {
      std::vector<float> other = values;
      other[place] += step;
      other[5] += step / 2;
      const std::string name = absl::StrCat(place, " ", step);
      Keep(name, other);
      EXPECT_EQ(excerpts_.LargestDifference({"plain", name}), 0.25) << name;
    }
  }
}

TEST_F(CanaryExcerptsTest, TakesTheLargestOfAllPairsAtOnePlace) {
  Keep("a", {0, 10, 0});
  Keep("b", {1, 10, 0});
  Keep("c", {-2, 10, 1});
  EXPECT_EQ(excerpts_.LargestDifference({"a", "b"}), 1.0);
  EXPECT_EQ(excerpts_.LargestDifference({"a", "b", "c"}), 3.0) << "of b and c at the first place";
}

TEST_F(CanaryExcerptsTest, IsLargerThanAFloatIfNeedBe) {
  constexpr float kMost = std::numeric_limits<float>::max();
  Keep("a", {kMost});
  Keep("b", {-kMost});
  EXPECT_EQ(excerpts_.LargestDifference({"a", "b"}), 2 * double{kMost});
}

TEST_F(CanaryExcerptsTest, KnowsNothingOfFewerThanTwo) {
  EXPECT_EQ(excerpts_.LargestDifference({}), std::nullopt);
  Keep("a", {1});
  EXPECT_EQ(excerpts_.LargestDifference({"a"}), std::nullopt);
  EXPECT_EQ(excerpts_.LargestDifference({"a", "cpu;avx2"}), std::nullopt) << "an environment key";
  Keep("b", {1});
  EXPECT_EQ(excerpts_.LargestDifference({"a", "b"}), 0.0)
      << "what differs beside the excerpt is not known";
}

TEST_F(CanaryExcerptsTest, ComparesNoOtherPlaces) {
  Keep("a", {1, 2});
  Keep("b", {5, 6, 7});
  EXPECT_EQ(excerpts_.LargestDifference({"a", "b"}), std::nullopt);
  Keep("c", {1, 3});
  EXPECT_EQ(excerpts_.LargestDifference({"a", "b", "c"}), 1.0);
}

TEST_F(CanaryExcerptsTest, RefusesWhatIsNoExcerptAndKeepsNothingOfIt) {
  Keep("a", {1});
  std::string bytes(5, 'x');
  EXPECT_EQ(
      excerpts_.Keep("b", bytes),
      absl::InvalidArgumentError("an excerpt of 5 bytes is not kept: values have 4 bytes each"));
  EXPECT_EQ(excerpts_.Keep("b", BytesOf({1, std::numeric_limits<float>::infinity()})),
            absl::InvalidArgumentError("an excerpt is not kept: its value 1 is not finite"));
  EXPECT_EQ(excerpts_.Keep("b", BytesOf({std::numeric_limits<float>::quiet_NaN()})),
            absl::InvalidArgumentError("an excerpt is not kept: its value 0 is not finite"));
  EXPECT_EQ(excerpts_.Keep("b", std::string(65'540, '\0')),
            absl::ResourceExhaustedError("an excerpt of 65540 bytes for a class named by 1 is not "
                                         "kept: at most 65536 and 128 may be"));
  EXPECT_TRUE(absl::IsResourceExhausted(excerpts_.Keep(std::string(129, 'b'), BytesOf({1}))));
  EXPECT_TRUE(excerpts_.Keep("b", "").ok()) << "of a worker that sends none";
  EXPECT_TRUE(excerpts_.Keep("", BytesOf({1})).ok()) << "of a canary that failed";
  EXPECT_EQ(excerpts_.LargestDifference({"", "a", "b"}), std::nullopt);
}

TEST_F(CanaryExcerptsTest, ForgetsWhatWasSentLongestAgo) {
  Keep("a", {1});
  Keep("b", {3});
  for (size_t i = 2; i < CanaryExcerpts::kClassesMax; ++i) Keep(absl::StrCat(i), {0});
  EXPECT_EQ(excerpts_.LargestDifference({"a", "b"}), 2.0);
  Keep("a", {1});  // sent again
  Keep("one more", {5});
  EXPECT_EQ(excerpts_.LargestDifference({"a", "b"}), std::nullopt);
  EXPECT_EQ(excerpts_.LargestDifference({"a", "one more"}), 4.0);
}

}  // namespace
}  // namespace tilewright
