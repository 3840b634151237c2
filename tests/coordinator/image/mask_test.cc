// Masks: the formula, how a mask lies over a turned image, and copies of what cannot be read
// anywhere.

#include "coordinator/image/mask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vips/vips.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "coordinator/image/any_set.h"
#include "coordinator/image/decoded_copy.h"
#include "coordinator/image/masking_sink.h"
#include "tests/coordinator/image/image_testing.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

template <typename T>
std::vector<std::byte> Bytes(const std::vector<T>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// Every mask value against every few samples, in 64 bits.
template <typename Sample, typename MaskSample>
void CheckFormula(SampleType sample, SampleType mask_sample) {
  constexpr uint64_t kMax = static_cast<MaskSample>(-1);
  constexpr uint64_t kSampleMax = static_cast<Sample>(-1);
  std::vector<Sample> source, result, expected;
  std::vector<MaskSample> mask;
  for (uint64_t m = 0; m <= kMax; m += kMax > 255 ? 257 : 1) {
    for (uint64_t s = 0; s <= kSampleMax; s += kSampleMax / 15) {
      for (uint64_t r = 0; r <= kSampleMax; r += kSampleMax / 51) {
        source.push_back(static_cast<Sample>(s));
        result.push_back(static_cast<Sample>(r));
        mask.push_back(static_cast<MaskSample>(m));
        expected.push_back(static_cast<Sample>((s * (kMax - m) + r * m + kMax / 2) / kMax));
      }
    }
  }
  std::vector<std::byte> bytes = Bytes(result);
  ApplyMask(sample, 1, Bytes(source), mask_sample, Bytes(mask), absl::MakeSpan(bytes));
  EXPECT_TRUE(bytes == Bytes(expected));
}

TEST(ApplyMask, IsItsFormulaForAllTypes) {
  CheckFormula<uint8_t, uint8_t>(SampleType::kU8, SampleType::kU8);
  CheckFormula<uint8_t, uint16_t>(SampleType::kU8, SampleType::kU16);
  CheckFormula<uint16_t, uint8_t>(SampleType::kU16, SampleType::kU8);
  CheckFormula<uint16_t, uint16_t>(SampleType::kU16, SampleType::kU16);
}

TEST(ApplyMask, TakesAllChannelsOfAPixel) {
  std::vector<std::byte> result = Bytes<uint8_t>({1, 2, 3, 4, 5, 6, 7, 8, 9});
  ApplyMask(SampleType::kU8, 3, Bytes<uint8_t>({91, 92, 93, 94, 95, 96, 97, 98, 99}),
            SampleType::kU8, Bytes<uint8_t>({0, 255, 0}), absl::MakeSpan(result));
  EXPECT_TRUE(result == Bytes<uint8_t>({91, 92, 93, 4, 5, 6, 97, 98, 99}));
}

TEST(AnySet, LooksAtEveryByte) {
  std::vector<std::byte> bytes(1000);
  EXPECT_FALSE(AnySet(bytes));
  EXPECT_FALSE(AnySet({}));
  for (size_t i : {0u, 1u, 500u, 999u}) {
    bytes[i] = std::byte{1};
    EXPECT_TRUE(AnySet(bytes)) << i;
    bytes[i] = std::byte{0};
  }
  EXPECT_TRUE(AnySet(std::vector<std::byte>(1, std::byte{9})));
  EXPECT_TRUE(AnySet(std::vector<std::byte>(9, std::byte{9})));
}

class Turned : public ::testing::TestWithParam<int> {};

// libvips turns the image as viewers do; the mask is painted over what they show.
TEST_P(Turned, ImageIsUnderAMaskOfWhatIsShown) {
  TempFolder folder;
  const CanvasFormat format = {{61, 23}, 1, SampleType::kU8};
  const std::vector<std::byte> stored = NoiseSamples(format, 3);
  VipsImage* image =
      vips_image_new_from_memory_copy(stored.data(), stored.size(), 61, 23, 1, VIPS_FORMAT_UCHAR);
  vips_image_set_int(image, VIPS_META_ORIENTATION, GetParam());
  VipsImage* shown = nullptr;
  ASSERT_EQ(vips_autorot(image, &shown, nullptr), 0);
  ASSERT_EQ(vips_image_write_to_file(shown, folder.path("mask.tif[tile]").c_str(), nullptr), 0);
  g_object_unref(shown);
  g_object_unref(image);

  ImageInfo info;
  info.size = format.size;
  info.metadata.orientation = GetParam();
  const auto reader = OpenOrFail(folder.path("mask.tif"));
  ASSERT_NE(reader, nullptr);
  ASSERT_EQ(reader->info().size, (Size{23, 61}));
  const auto mask = Mask::Create(*reader, info);
  ASSERT_TRUE(mask.ok()) << mask.status();
  for (const Rect& rect : {Rect{0, 0, 61, 23}, Rect{7, 5, 30, 11}, Rect{60, 22, 1, 1}}) {
    std::vector<std::byte> samples;
    ASSERT_TRUE((*mask)->Read(rect, samples).ok());
    std::vector<std::byte> expected;
    for (int64_t y = rect.y; y < rect.bottom(); ++y) {
      const auto* first = stored.data() + y * 61 + rect.x;
      expected.insert(expected.end(), first, first + rect.width);
    }
    EXPECT_TRUE(samples == expected) << ToString(rect);
  }
}

INSTANTIATE_TEST_SUITE_P(Orientations, Turned, ::testing::Values(5, 6, 7, 8));

TEST(Mask, ThatDoesNotFitIsRefused) {
  TempFolder folder;
  ImageInfo info;
  info.size = {20, 10};
  const auto refusal = [&](const CanvasFormat& format) {
    WriteByVips(folder.path("m.tif[tile]"), format, NoiseSamples(format, 1));
    const auto reader = OpenOrFail(folder.path("m.tif"));
    const absl::Status status = Mask::Create(*reader, info).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_EQ(refusal({{20, 11}, 1, SampleType::kU8}),
            "the mask has 20x11 pixels, the image 20x10: they must be equally large");
  EXPECT_THAT(refusal({{10, 20}, 1, SampleType::kU8}), HasSubstr("they must be equally large"));
  EXPECT_EQ(refusal({{20, 10}, 3, SampleType::kU8}),
            "the mask has 3 channels of type u8: give one grey channel of 8 or 16 bits");
  EXPECT_THAT(refusal({{20, 10}, 1, SampleType::kF32}), HasSubstr("one grey channel"));
}

class Blocks : public BlockSink {
 public:
  absl::Status WriteBlock(int64_t column, int64_t row,
                          absl::Span<const std::byte> samples) override {
    last = {samples.begin(), samples.end()};
    places.push_back({column, row});
    return absl::OkStatus();
  }
  std::vector<std::byte> last;
  std::vector<std::pair<int64_t, int64_t>> places;
};

TEST(MaskingSink, KeepsTheSourceWhereTheMaskIsZeroAndNoticesThatItChanges) {
  TempFolder folder;
  const CanvasFormat format = {{40, 30}, 3, SampleType::kU16};
  const std::vector<std::byte> source = NoiseSamples(format, 1);
  const std::vector<std::byte> result = NoiseSamples(format, 2);
  WriteByVips(folder.path("source.tif[tile]"), format, source);
  std::vector<std::byte> marks(40 * 30);
  marks[41] = std::byte{255};
  WriteByVips(folder.path("mask.tif[tile]"), {{40, 30}, 1, SampleType::kU8}, marks);
  const auto source_reader = OpenOrFail(folder.path("source.tif"));
  const auto mask_reader = OpenOrFail(folder.path("mask.tif"));
  const auto mask = Mask::Create(*mask_reader, source_reader->info());
  ASSERT_TRUE(mask.ok());
  Blocks blocks;
  MaskingSink sink(format, 0, 0, *source_reader, **mask, false, blocks);
  ASSERT_TRUE(sink.WriteBlock(0, 0, result).ok());
  std::vector<std::byte> expected = source;
  std::copy_n(result.begin() + 41 * 6, 6, expected.begin() + 41 * 6);
  EXPECT_TRUE(blocks.last == expected);
  EXPECT_TRUE(sink.input_error().ok());

  WriteByVips(folder.path("source.tif[tile]"), format, result);
  EXPECT_EQ(sink.WriteBlock(0, 0, result).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(sink.input_error().ok());
  EXPECT_EQ(blocks.places.size(), 1u);
}

TEST(ReadAnywhere, MakesACopyOfWhatComesInOrderAndRemovesIt) {
  TempFolder folder, scratch;
  const CanvasFormat format = {{700, 600}, 3, SampleType::kU16};
  const std::vector<std::byte> samples = NoiseSamples(format, 1);
  WriteByVips(folder.path("a.png"), format, samples);
  auto reader = ReadAnywhere(OpenOrFail(folder.path("a.png")), scratch.path(""));
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->info().access, ImageAccess::kAnywhere);
  EXPECT_EQ((*reader)->info().format, "png");
  std::vector<std::byte> pixel(6);
  for (const auto& [x, y] : {std::pair<int64_t, int64_t>{699, 599}, {0, 0}, {350, 20}}) {
    ASSERT_TRUE((*reader)->Read({x, y, 1, 1}, PadMode::kZero, absl::MakeSpan(pixel)).ok());
    EXPECT_EQ(std::memcmp(pixel.data(), &samples[static_cast<size_t>((y * 700 + x) * 6)], 6), 0);
  }
  EXPECT_EQ(scratch.List().size(), 1u);
  *reader = nullptr;
  EXPECT_TRUE(scratch.List().empty());
  // What can be read anywhere is left as it is.
  WriteByVips(folder.path("b.tif[tile]"), format, samples);
  auto tiled = OpenOrFail(folder.path("b.tif"));
  ImageReader* const same = tiled.get();
  EXPECT_EQ(ReadAnywhere(std::move(tiled), scratch.path("")).value().get(), same);
  EXPECT_TRUE(scratch.List().empty());
  // Damage is an error, and leaves nothing.
  WriteFile(folder.path("c.png"), ReadFile(folder.path("a.png")).substr(0, 100'000));
  EXPECT_EQ(ReadAnywhere(OpenOrFail(folder.path("c.png")), scratch.path("")).status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_TRUE(scratch.List().empty());
}

}  // namespace
}  // namespace tilewright
