// Blocks of an output that are made by its pool's threads when their turn comes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <atomic>

#include "absl/cleanup/cleanup.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "coordinator/image/encoder_pool.h"
#include "coordinator/image/file_error.h"
#include "coordinator/image/output_file.h"
#include "tests/coordinator/image/image_testing.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

constexpr CanvasFormat kFormat = {{1024, 512}, 3, SampleType::kU8};  // two blocks
constexpr CanvasFormat kBlock = {{512, 512}, 3, SampleType::kU8};
constexpr int64_t kBlockBytes = 512 * 512 * 3;

class MadeBlocks : public ::testing::Test {
 protected:
  void SetUp() override {
    OutputOptions options;
    options.path = folder_.path("a.tif");
    options.format = kFormat;
    options.encoders = &pool_;
    auto output = OutputFile::Create(options);
    ASSERT_TRUE(output.ok()) << output.status();
    output_ = *std::move(output);
  }
  absl::Status Make(int64_t column, BlockMaker make) {
    return output_->MakeBlock(column, 0, kBlockBytes, std::move(make));
  }
  static MadeBlock Noise(uint64_t seed) { return {NoiseSamples(kBlock, seed), std::nullopt}; }

  TempFolder folder_;
  EncoderPool pool_{2, 4 * kBlockBytes};
  std::unique_ptr<OutputFile> output_;
};

TEST_F(MadeBlocks, AreMadeSideBySide) {
  absl::Notification begun[2];
  for (const int64_t column : {0, 1}) {
    ASSERT_TRUE(Make(column, [&begun, column]() -> absl::StatusOr<MadeBlock> {
                  begun[column].Notify();
                  if (!begun[1 - column].WaitForNotificationWithTimeout(absl::Minutes(2))) {
                    return absl::DeadlineExceededError("the other one is not made meanwhile");
                  }
                  return Noise(static_cast<uint64_t>(column));
                }).ok());
  }
  const absl::Status published = output_->Publish();
  ASSERT_TRUE(published.ok()) << published;
  EXPECT_EQ(output_->blocks_copied(), 0);
  const auto reader = OpenOrFail(folder_.path("a.tif"));
  std::vector<std::byte> samples(kBlockBytes);
  for (const int64_t column : {0, 1}) {
    const Rect rect = {column * 512, 0, 512, 512};
    ASSERT_TRUE(reader->Read(rect, PadMode::kZero, absl::MakeSpan(samples)).ok());
    EXPECT_TRUE(samples == Noise(static_cast<uint64_t>(column)).samples);
  }
}

TEST_F(MadeBlocks, ThatCannotBeMadeAreAnErrorOfTheOutput) {
  ASSERT_TRUE(Make(0, []() -> absl::StatusOr<MadeBlock> {
                return absl::DataLossError("the source is damaged");
              }).ok());
  EXPECT_EQ(output_->Save().status(), absl::DataLossError("the source is damaged"));
  EXPECT_EQ(Make(1, [] { return Noise(1); }), absl::DataLossError("the source is damaged"));
  output_.reset();
  EXPECT_TRUE(folder_.List().empty());
}

TEST_F(MadeBlocks, OfAnotherSizeAreNotWritten) {
  ASSERT_TRUE(Make(0, [] { return MadeBlock{std::vector<std::byte>(7), std::nullopt}; }).ok());
  const absl::Status status = output_->Save().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("was made with 7"));
  EXPECT_EQ(output_->MakeBlock(2, 0, 1, [] { return Noise(1); }).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(output_->MakeBlock(0, 0, 1, [] { return Noise(1); }).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(MadeBlocks, AreMadeOnceHoweverOftenTheyAreWritten) {
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  auto* const handler = signal(SIGXFSZ, SIG_IGN);
  const absl::Cleanup restore = [&] {
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
  };
  const rlimit small = {1 << 16, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  std::atomic<int> made = 0;
  for (const int64_t column : {0, 1}) {
    ASSERT_TRUE(Make(column, [&made, column] {
                  ++made;
                  return Noise(static_cast<uint64_t>(column));
                }).ok());
  }
  EXPECT_TRUE(IsNoRoom(output_->Save().status()));
  EXPECT_TRUE(IsNoRoom(output_->Retry()));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  const absl::Status retried = output_->Retry();
  EXPECT_TRUE(retried.ok()) << retried;
  EXPECT_EQ(made, 2);
  const absl::Status published = output_->Publish();
  ASSERT_TRUE(published.ok()) << published;
}

}  // namespace
}  // namespace tilewright
