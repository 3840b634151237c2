#include "worker/link/fault_injection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace tilewright {
namespace {

using testing::HasSubstr;

TEST(FaultInjection, UnknownWordsAreRefused) {
  EXPECT_FALSE(FaultInjection::Parse("").value().any());
  EXPECT_TRUE(FaultInjection::Parse("slow:5").value().any());
  for (const char* text : {"slow", "slow:", "corrupt-checksum:0", "explode:1"}) {
    const absl::Status status = FaultInjection::Parse(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }
}

}  // namespace
}  // namespace tilewright
