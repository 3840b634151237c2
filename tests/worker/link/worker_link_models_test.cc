// The link and models: fetched once, checked by their digests.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/worker/link/link_fixture.h"
#include "tests/worker/link/tiles.h"

namespace tilewright {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_P(WorkerLinkTest, FetchesAModelOnceAndFindsItAgainInAnotherLife) {
  for (int life = 0; life < 2; ++life) {
    StartLink();
    AwaitSession(static_cast<size_t>(life) + 1);
    for (uint64_t sequence : {1, 2}) {
      coordinator_.Grant(Lease(sequence, {sequence}, static_cast<uint64_t>(life) + 1));
      SendInput(sequence, sequence, static_cast<uint64_t>(life) + 1);
    }
    ASSERT_TRUE(AwaitResults(static_cast<size_t>(life) * 2 + 2));
    EXPECT_TRUE(StopLink().ok());
    coordinator_.SetEpoch(2);
  }
  EXPECT_EQ(coordinator_.fetches(), 1);
  EXPECT_THAT(
      coordinator_.Events(v1::WorkerEvent::kHello).back().hello().capabilities().cached_models(),
      ElementsAre(digest_));
}

TEST_P(WorkerLinkTest, AModelThatNobodyUsesMakesRoomForAnother) {
  auto files = ModelFiles();
  files["weights.bin"] += "more";
  const std::string other = DigestOf(files);
  coordinator_.AddModel(other, files);
  int fetched = 0;
  for (const uint64_t life : {1, 2}) {
    const bool room = life == 1;
    cache_bytes_ = room ? 1 << 30 : 1;
    std::filesystem::remove_all(cache_);
    StartLink();
    AwaitSession(life);
    for (const std::string& digest : {digest_, other, digest_}) {
      const uint64_t sequence = coordinator_.Results().size() + 1;
      coordinator_.Grant(TestLease({life, sequence}, {sequence}, /*batch=*/1, digest));
      SendInput(sequence, sequence, life);
      ASSERT_TRUE(AwaitResults(sequence));
    }
    EXPECT_TRUE(StopLink().ok());
    coordinator_.SetEpoch(life + 1);
    fetched += room ? 2 : 3;
    EXPECT_EQ(coordinator_.fetches(), fetched);
    EXPECT_TRUE(std::filesystem::exists(cache_ + "/models/" + digest_));
    EXPECT_EQ(std::filesystem::exists(cache_ + "/models/" + other), room);
  }
}

TEST_P(WorkerLinkTest, AModelOfAnotherDigestIsNeverUsed) {
  auto files = ModelFiles();
  files["weights.bin"][7] = 'x';
  coordinator_.AddModel(digest_, files);
  StartLink();
  AwaitSession();
  coordinator_.Grant(Lease(1, {5, 6}));
  SendInput(1, 5);
  AwaitEvent(v1::WorkerEvent::kFailed);
  const auto failed = coordinator_.Events(v1::WorkerEvent::kFailed);
  ASSERT_EQ(failed.size(), 2u) << "one for each tile";
  EXPECT_EQ(failed[0].failed().cause(), v1::FAILURE_CAUSE_MODEL_ERROR);
  EXPECT_EQ(failed[0].failed().text(), absl::StrCat("the coordinator sent a model with the digest ",
                                                    DigestOf(files), " instead of ", digest_));
  EXPECT_TRUE(AwaitIdle());
  EXPECT_FALSE(std::filesystem::exists(cache_ + "/models/" + digest_));
  EXPECT_TRUE(std::filesystem::is_empty(cache_ + "/models")) << "no partial folder stays";
  coordinator_.AddModel(digest_, ModelFiles());
  coordinator_.Grant(Lease(2, {5}));
  SendInput(2, 5);
  EXPECT_TRUE(AwaitResults(1)) << "the right one is taken";
}

TEST_P(WorkerLinkTest, AModelsFileCannotLeaveTheCache) {
  coordinator_.AddModel(digest_, {{"../evil", "text"}});
  StartLink();
  AwaitSession();
  coordinator_.Grant(Lease(1, {5}));
  const v1::TileFailed failed = AwaitEvent(v1::WorkerEvent::kFailed).failed();
  EXPECT_THAT(failed.text(), HasSubstr("'../evil' may not be the name of a model's file"));
  EXPECT_FALSE(std::filesystem::exists(cache_ + "/models/evil"));
}

}  // namespace
}  // namespace tilewright
