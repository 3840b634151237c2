#include "coordinator/merge/preview.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <vector>

namespace tilewright {
namespace {

template <typename Sample>
absl::Span<const std::byte> Bytes(const std::vector<Sample>& samples) {
  return {reinterpret_cast<const std::byte*>(samples.data()), samples.size() * sizeof(Sample)};
}

// R, G, B, A of a preview's pixel.
std::vector<int> PixelAt(const Preview& preview, int64_t x, int64_t y) {
  std::vector<int> pixel;
  for (int64_t c = 0; c < 4; ++c) {
    const int64_t at = (y * preview.size().width + x) * 4 + c;
    pixel.push_back(std::to_integer<int>(preview.pixels()[static_cast<size_t>(at)]));
  }
  return pixel;
}

using Pixel = std::vector<int>;

TEST(Preview, ShowsFinishedBlocksAndLeavesTheRestTransparent) {
  Preview preview({{1000, 600}, 3, SampleType::kU8});
  EXPECT_EQ(preview.size(), (Size{1000, 600}));
  std::vector<uint8_t> block(488 * 88 * 3);
  for (size_t i = 0; i < block.size(); i += 3) block[i] = 200;
  preview.AddBlock(1, 1, Bytes(block));
  EXPECT_EQ(PixelAt(preview, 512, 512), (Pixel{200, 0, 0, 255}));
  EXPECT_EQ(PixelAt(preview, 999, 599), (Pixel{200, 0, 0, 255}));
  EXPECT_EQ(PixelAt(preview, 511, 599), (Pixel{0, 0, 0, 0}));
  EXPECT_EQ(PixelAt(preview, 999, 511), (Pixel{0, 0, 0, 0}));
  EXPECT_DOUBLE_EQ(preview.finished(), 488.0 * 88 / (1000 * 600));
}

TEST(Preview, TakesTheMeanOfThePixelsThatOneStandsFor) {
  Preview preview({{2048, 2}, 1, SampleType::kU8});
  ASSERT_EQ(preview.size(), (Size{1024, 1}));
  std::vector<uint8_t> block(512 * 2);
  block[510] = 10, block[511] = 20, block[1022] = 31, block[1023] = 41;
  preview.AddBlock(2, 0, Bytes(block));
  EXPECT_EQ(PixelAt(preview, 512 + 255, 0), (Pixel{26, 26, 26, 255}));  // of 25.5
  EXPECT_EQ(PixelAt(preview, 512 + 254, 0), (Pixel{0, 0, 0, 255}));
}

TEST(Preview, OfLabelsTakesOneOfThePixelsThatOneStandsFor) {
  Preview preview({{2048, 2}, 1, SampleType::kU8, /*array=*/false, /*labels=*/true});
  std::vector<uint8_t> block(512 * 2);
  block[510] = 10, block[511] = 20, block[1022] = 31, block[1023] = 41;
  preview.AddBlock(2, 0, Bytes(block));
  EXPECT_EQ(PixelAt(preview, 512 + 255, 0), (Pixel{10, 10, 10, 255}));
}

TEST(Preview, OfAHugeCanvasStaysSmallAndKeepsItsPlaces) {
  Preview preview({{1'000'000, 300'000}, 3, SampleType::kU8});
  EXPECT_EQ(preview.size(), (Size{1954, 586}));
  const std::vector<uint8_t> block(512 * 512 * 3, 77);
  preview.AddBlock(1000, 500, Bytes(block));
  EXPECT_EQ(PixelAt(preview, 1000, 500), (Pixel{77, 77, 77, 255}));
  EXPECT_EQ(PixelAt(preview, 999, 500), (Pixel{0, 0, 0, 0}));
  EXPECT_EQ(PixelAt(preview, 1000, 501), (Pixel{0, 0, 0, 0}));
}

TEST(Preview, ScalesEverySampleTypeToEightBits) {
  Preview words({{3, 1}, 2, SampleType::kU16});
  words.AddBlock(0, 0, Bytes(std::vector<uint16_t>{0, 5, 65535, 5, 32896, 5}));
  EXPECT_EQ(PixelAt(words, 0, 0), (Pixel{0, 0, 0, 255}));
  EXPECT_EQ(PixelAt(words, 1, 0), (Pixel{255, 255, 255, 255}));
  EXPECT_EQ(PixelAt(words, 2, 0), (Pixel{128, 128, 128, 255}));

  Preview halves({{2, 1}, 1, SampleType::kF16});
  halves.AddBlock(0, 0, Bytes(std::vector<uint16_t>{0x3c00, 0x3800}));  // 1, 0.5
  EXPECT_EQ(PixelAt(halves, 0, 0), (Pixel{255, 255, 255, 255}));
  EXPECT_EQ(PixelAt(halves, 1, 0), (Pixel{128, 128, 128, 255}));

  Preview floats({{4, 1}, 1, SampleType::kF32});
  floats.AddBlock(0, 0,
                  Bytes(std::vector<float>{-1, 2, 0.25f, std::numeric_limits<float>::quiet_NaN()}));
  EXPECT_EQ(PixelAt(floats, 0, 0), (Pixel{0, 0, 0, 255}));
  EXPECT_EQ(PixelAt(floats, 1, 0), (Pixel{255, 255, 255, 255}));
  EXPECT_EQ(PixelAt(floats, 2, 0), (Pixel{64, 64, 64, 255}));
  EXPECT_EQ(PixelAt(floats, 3, 0), (Pixel{0, 0, 0, 255}));
}

}  // namespace
}  // namespace tilewright
