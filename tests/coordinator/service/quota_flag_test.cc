// The text of --quota: what it says, and what is refused with which words.

#include "coordinator/service/quota_flag.h"

#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

TEST(QuotaFlag, SetsWhatItNamesAndLeavesTheRest) {
  std::map<std::string, TenantQuota> quotas;
  TenantQuota others;
  ASSERT_TRUE(
      ParseQuota("studio:share=2.5,jobs=7,bytes=1000000,priority=-1", &quotas, &others).ok());
  ASSERT_TRUE(ParseQuota("spiffe://a/b:jobs=1", &quotas, &others).ok());
  ASSERT_EQ(quotas.size(), 2u);
  EXPECT_EQ(quotas["studio"].share, 2.5);
  EXPECT_EQ(quotas["studio"].open_jobs_max, 7);
  EXPECT_EQ(quotas["studio"].open_bytes_max, 1000000);
  EXPECT_EQ(quotas["studio"].priority_max, -1);
  EXPECT_EQ(quotas["spiffe://a/b"].open_jobs_max, 1);
  EXPECT_EQ(quotas["spiffe://a/b"].share, 1);
  EXPECT_EQ(quotas["spiffe://a/b"].open_bytes_max, std::numeric_limits<int64_t>::max());
  EXPECT_EQ(others.open_jobs_max, TenantQuota().open_jobs_max);
}

TEST(QuotaFlag, AStarIsEveryOtherTenant) {
  std::map<std::string, TenantQuota> quotas;
  TenantQuota others;
  ASSERT_TRUE(ParseQuota("*:jobs=3", &quotas, &others).ok());
  EXPECT_TRUE(quotas.empty());
  EXPECT_EQ(others.open_jobs_max, 3);
}

TEST(QuotaFlag, SaysWhatIsWrong) {
  for (const auto& [text, why] : std::map<std::string, std::string>{
           {"studio", "write TENANT:KEY=VALUE"},
           {":jobs=1", "write TENANT:KEY=VALUE"},
           {"a:", "'' is none of share, jobs, bytes, priority"},
           {"a:speed=1", "'speed' is none of share, jobs, bytes, priority"},
           {"a:share=0", "share '0' is no number above 0"},
           {"a:share=inf", "share 'inf' is no number above 0"},
           {"a:jobs=-1", "jobs '-1' is no count"},
           {"a:jobs=", "jobs '' is no count"},
           {"a:bytes=1e9", "bytes '1e9' is no count"},
           {"a:priority=6", "priority '6' is none from -5 to 5"}}) {
    std::map<std::string, TenantQuota> quotas;
    TenantQuota others;
    const absl::Status status = ParseQuota(text, &quotas, &others);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(why)) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("--quota '" + text + "'"));
    EXPECT_TRUE(quotas.empty()) << text;
  }
  std::map<std::string, TenantQuota> quotas;
  TenantQuota others;
  ASSERT_TRUE(ParseQuota("a:jobs=1", &quotas, &others).ok());
  EXPECT_EQ(ParseQuota("a:jobs=2", &quotas, &others).message(),
            "--quota 'a:jobs=2': the tenant has a quota already");
}

}  // namespace
}  // namespace tilewright
