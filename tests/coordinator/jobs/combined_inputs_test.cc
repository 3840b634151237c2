// Tiles that hold more than the image: every channel of every pixel is what its image holds there,
// in the image's sample type, inside and where tiles are padded.

#include "coordinator/jobs/combined_inputs.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "coordinator/image/output_file.h"
#include "coordinator/jobs/state_folder.h"
#include "gtest/gtest.h"

namespace tilewright {
namespace {

constexpr Size kSize = {70, 50};

// A picture in memory; sample i is a pattern of its seed.
template <typename Sample>
struct Pixels {
  int channels = 1;
  std::vector<Sample> samples;

  Sample at(int64_t x, int64_t y, int64_t c) const {
    return samples[static_cast<size_t>((y * kSize.width + x) * channels + c)];
  }
};
template <typename Sample>
Pixels<Sample> Noise(int channels, uint32_t seed) {
  Pixels<Sample> pixels{channels, {}};
  std::mt19937 random(seed);
  for (int64_t i = 0; i < kSize.area() * channels; ++i) {
    pixels.samples.push_back(static_cast<Sample>(random()));
  }
  return pixels;
}

template <typename Sample>
PixelsBeside Beside(const Pixels<Sample>& pixels, SampleType sample, ValueRange range = {}) {
  PixelsBeside beside;
  beside.read = [&pixels](const Rect& rect, absl::Span<std::byte> samples) {
    EXPECT_TRUE(rect.x >= 0 && rect.y >= 0 && rect.right() <= kSize.width &&
                rect.bottom() <= kSize.height);
    std::byte* to = samples.data();
    for (int64_t y = rect.y; y < rect.bottom(); ++y) {
      const size_t row = sizeof(Sample) * static_cast<size_t>(rect.width * pixels.channels);
      std::memcpy(
          to, &pixels.samples[static_cast<size_t>((y * kSize.width + rect.x) * pixels.channels)],
          row);
      to += row;
    }
    return absl::OkStatus();
  };
  beside.channels = pixels.channels;
  beside.sample = sample;
  beside.range = range;
  return beside;
}

class CombinedInputsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(StartImageLibrary("combined_inputs_test").ok()); }
  void SetUp() override {
    folder_ = absl::StrCat(testing::TempDir(), "/combined-", RandomId());
    std::filesystem::create_directories(folder_);
    // Aligned to 16, so that tiles reach beyond the border.
    ModelGeometry geometry;
    geometry.alignment = 16;
    geometry.minimum = 16;
    geometry.halo = 4;
    geometry.pad_mode = PadMode::kReplicate;
    PlanRequest request;
    request.image = kSize;
    request.tile = 48;
    absl::StatusOr<StagePlan> plan = StagePlan::Create(geometry, request);
    ASSERT_TRUE(plan.ok()) << plan.status();
    plan_ = std::make_unique<StagePlan>(*std::move(plan));
    ASSERT_GT(plan_->tile_count(), 1);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  template <typename Sample>
  void Open(const Pixels<Sample>& pixels, SampleType sample) {
    OutputOptions options;
    options.path = folder_ + "/image.tif";
    options.format = CanvasFormat{kSize, pixels.channels, sample};
    auto file = OutputFile::Create(options);
    ASSERT_TRUE(file.ok()) << file.status();
    const auto bytes = absl::MakeSpan(reinterpret_cast<const std::byte*>(pixels.samples.data()),
                                      sizeof(Sample) * pixels.samples.size());
    ASSERT_TRUE((*file)->WriteBlock(0, 0, bytes).ok());
    const absl::Status published = (*file)->Publish();
    ASSERT_TRUE(published.ok()) << published;
    auto reader = ImageReader::Open(options.path, {});
    ASSERT_TRUE(reader.ok()) << reader.status();
    reader_ = *std::move(reader);
    ASSERT_EQ(reader_->info().access, ImageAccess::kAnywhere);
  }

  // The tile's pixels, `channels` samples each.
  template <typename Sample>
  std::vector<Sample> ReadTile(CombinedInputs& inputs, int64_t tile, int channels) {
    const Rect rect = plan_->InputRect(TileIndex{tile});
    std::vector<Sample> samples(static_cast<size_t>(rect.area() * channels));
    const absl::Status status =
        inputs.Read(TileIndex{tile}, absl::MakeSpan(reinterpret_cast<std::byte*>(samples.data()),
                                                    sizeof(Sample) * samples.size()));
    EXPECT_TRUE(status.ok()) << status;
    return samples;
  }

  // Calls `expect` with where each pixel of each tile comes from, and with its samples.
  template <typename Sample, typename Expect>
  void ForAll(CombinedInputs& inputs, int channels, Expect expect) {
    bool padded = false;
    for (int64_t tile = 0; tile < plan_->tile_count(); ++tile) {
      const std::vector<Sample> samples = ReadTile<Sample>(inputs, tile, channels);
      const Rect rect = plan_->InputRect(TileIndex{tile});
      const Sample* pixel = samples.data();
      for (int64_t y = rect.y; y < rect.bottom(); ++y) {
        for (int64_t x = rect.x; x < rect.right(); ++x, pixel += channels) {
          padded = padded || x >= kSize.width;
          expect(std::min(x, kSize.width - 1), std::min(y, kSize.height - 1), pixel);
          if (HasFailure()) return;
        }
      }
    }
    EXPECT_TRUE(padded) << "the plan must have tiles beyond the border";
  }

  std::string folder_;
  std::unique_ptr<StagePlan> plan_;
  std::unique_ptr<ImageReader> reader_;
};

TEST_F(CombinedInputsTest, HoldMaskAndPreviousFrameInTheOrderOfTheModel) {
  const auto image = Noise<uint8_t>(3, 1);
  const auto mask = Noise<uint16_t>(1, 2);
  const auto previous = Noise<uint8_t>(2, 3);
  Open(image, SampleType::kU8);
  CombinedInputs inputs(*plan_, *reader_,
                        {Beside(mask, SampleType::kU16), Beside(previous, SampleType::kU8)});
  ForAll<uint8_t>(inputs, 6, [&](int64_t x, int64_t y, const uint8_t* pixel) {
    for (int c = 0; c < 3; ++c) ASSERT_EQ(pixel[c], image.at(x, y, c));
    ASSERT_EQ(pixel[3], (mask.at(x, y, 0) + 128) / 257) << "65535 becomes 255";
    for (int c = 0; c < 2; ++c) ASSERT_EQ(pixel[4 + c], previous.at(x, y, c));
  });
}

TEST_F(CombinedInputsTest, WidenIntegersAndTakeFloatsByTheRangeOfTheInput) {
  const auto image = Noise<uint16_t>(1, 4);
  const auto mask = Noise<uint8_t>(1, 5);
  Pixels<float> previous{1, {}};
  for (int64_t i = 0; i < kSize.area(); ++i) {
    previous.samples.push_back(static_cast<float>(i % 500) / 200 - 1.25f);  // -1.25 to 1.245
  }
  Open(image, SampleType::kU16);
  CombinedInputs inputs(*plan_, *reader_,
                        {Beside(previous, SampleType::kF32, {-1, 1}),
                         Beside(mask, SampleType::kU8, {-1, 1}),
                         {nullptr, 1, SampleType::kU8, {}}});
  ForAll<uint16_t>(inputs, 4, [&](int64_t x, int64_t y, const uint16_t* pixel) {
    ASSERT_EQ(pixel[0], image.at(x, y, 0));
    const double unit = (static_cast<double>(previous.at(x, y, 0)) + 1) / 2;
    ASSERT_EQ(pixel[1], std::floor(std::clamp(unit, 0.0, 1.0) * 65535 + 0.5));
    ASSERT_EQ(pixel[2], mask.at(x, y, 0) * 257) << "255 becomes 65535";
    ASSERT_EQ(pixel[3], 0) << "there is nothing";
  });
}

TEST_F(CombinedInputsTest, MakeValuesOfIntegersBesideAnImageOfFloats) {
  Pixels<float> image{1, {}};
  for (int64_t i = 0; i < kSize.area(); ++i) image.samples.push_back(static_cast<float>(i) - 9);
  const auto previous = Noise<uint8_t>(1, 6);
  Open(image, SampleType::kF32);
  CombinedInputs inputs(*plan_, *reader_, {Beside(previous, SampleType::kU8, {-1, 1})});
  ForAll<float>(inputs, 2, [&](int64_t x, int64_t y, const float* pixel) {
    ASSERT_EQ(pixel[0], image.at(x, y, 0));
    ASSERT_EQ(pixel[1], static_cast<float>(-1 + previous.at(x, y, 0) * 2.0 / 255));
  });
}

TEST_F(CombinedInputsTest, RefuseWhatNoIntegerStandsFor) {
  const auto image = Noise<uint8_t>(1, 7);
  Pixels<float> previous{1, std::vector<float>(static_cast<size_t>(kSize.area()))};
  previous.samples[0] = std::numeric_limits<float>::quiet_NaN();
  Open(image, SampleType::kU8);
  CombinedInputs inputs(*plan_, *reader_, {Beside(previous, SampleType::kF32)});
  std::vector<std::byte> samples(static_cast<size_t>(plan_->InputRect(TileIndex{0}).area()) * 2);
  EXPECT_EQ(inputs.Read(TileIndex{0}, absl::MakeSpan(samples)).code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(inputs.Read(TileIndex{plan_->tile_count() - 1}, absl::MakeSpan(samples)).ok())
      << "the control: a tile without it";
}

}  // namespace
}  // namespace tilewright
