#include "proto/base/switch_word.h"

#include <gtest/gtest.h>

namespace tilewright {
namespace {

TEST(ParseSwitch, KnowsYesAndNoInAnyCaseAndNothingElse) {
  for (const char* yes : {"1", "true", "YES", "On"}) EXPECT_EQ(ParseSwitch(yes), true) << yes;
  for (const char* no : {"0", "FALSE", "no", "Off"}) EXPECT_EQ(ParseSwitch(no), false) << no;
  for (const char* other : {"", "ja", "2", "truely"}) {
    EXPECT_EQ(ParseSwitch(other), std::nullopt) << other;
  }
}

}  // namespace
}  // namespace tilewright
