// An output that is left unfinished in an orderly way: what another one goes on from is untouched.

#include <gtest/gtest.h>

#include <cstring>
#include <optional>

#include "coordinator/image/output_file.h"
#include "coordinator/image/partial_claim.h"
#include "tests/coordinator/image/image_testing.h"

namespace tilewright {
namespace {

constexpr CanvasFormat kPicture = {{1100, 600}, 3, SampleType::kU8};

absl::Status WriteColumn(OutputFile& output, int64_t column,
                         const std::vector<std::byte>& samples) {
  for (int64_t row = 0; row < kPicture.block_rows(); ++row) {
    const Rect rect = kPicture.BlockRect(column, row);
    std::vector<std::byte> block;
    for (int64_t y = rect.y; y < rect.bottom(); ++y) {
      const auto* begin =
          samples.data() + (y * kPicture.size.width + rect.x) * kPicture.pixel_bytes();
      block.insert(block.end(), begin, begin + rect.width * kPicture.pixel_bytes());
    }
    const absl::Status written = output.WriteBlock(column, row, block);
    if (!written.ok()) return written;
  }
  return absl::OkStatus();
}

TEST(LeftOutput, IsContinuedAsItWas) {
  TempFolder folder;
  const std::vector<std::byte> samples = NoiseSamples(kPicture, 11);
  OutputOptions options;
  options.path = folder.path("a.tif");
  options.format = kPicture;
  std::optional<OutputState> state;
  {
    auto output = OutputFile::Create(options);
    ASSERT_TRUE(output.ok()) << output.status();
    ASSERT_TRUE(WriteColumn(**output, 1, samples).ok());
    auto saved = (*output)->Save();
    ASSERT_TRUE(saved.ok()) << saved.status();
    state = *std::move(saved);
    (*output)->Leave();
  }
  auto claim = PartialClaim::TakeOver(PartialClaim::PathFor(options.path));
  ASSERT_TRUE(claim.ok() && claim->has_value()) << claim.status();
  // Who is asked to end while reading it back leaves it as well.
  Interrupt interrupt;
  interrupt.Ask(absl::CancelledError("asked"));
  EXPECT_EQ(OutputFile::Continue(options, **std::move(claim), *state, &interrupt).status(),
            absl::CancelledError("asked"));
  auto again = PartialClaim::TakeOver(PartialClaim::PathFor(options.path));
  ASSERT_TRUE(again.ok() && again->has_value()) << again.status();
  auto output = OutputFile::Continue(options, **std::move(again), *state);
  ASSERT_TRUE(output.ok()) << output.status();
  for (const int64_t column : {0, 2}) {
    ASSERT_TRUE(WriteColumn(**output, column, samples).ok());
  }
  const absl::Status published = (*output)->Publish();
  ASSERT_TRUE(published.ok()) << published;
  EXPECT_TRUE(ReadAll(*OpenOrFail(options.path)) == samples);
}

}  // namespace
}  // namespace tilewright
