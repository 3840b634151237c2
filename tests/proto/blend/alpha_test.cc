#include "proto/blend/alpha.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "proto/geometry/axis.h"

namespace tilewright {
namespace {

template <typename T>
struct Image {
  Size size;
  int channels = 1;
  std::vector<T> samples;

  uint64_t At(int64_t x, int64_t y, int channel) const {
    x = std::clamp<int64_t>(x, 0, size.width - 1);
    y = std::clamp<int64_t>(y, 0, size.height - 1);
    return samples[static_cast<size_t>((y * size.width + x) * channels + channel)];
  }
};

template <typename T>
constexpr SampleType kType = SampleType::kU8;
template <>
constexpr SampleType kType<uint16_t> = SampleType::kU16;

template <typename T>
Image<T> Noise(Size size, int channels, uint32_t seed) {
  std::mt19937 random(seed);
  Image<T> image = {size, channels, {}};
  image.samples.resize(static_cast<size_t>(size.area() * channels));
  for (T& sample : image.samples) sample = static_cast<T>(random());
  return image;
}

// The rule as it is written, one output pixel at a time, for integer scales s and 1/s.
template <typename T>
std::vector<T> Naive(const Image<T>& image, int channel, Scale scale, Size output) {
  std::vector<T> alpha;
  const int64_t s = std::max(scale.p(), scale.q());
  for (int64_t y = 0; y < output.height; ++y) {
    for (int64_t x = 0; x < output.width; ++x) {
      uint64_t sum = 0;
      if (scale.q() > 1) {
        for (int64_t j = 0; j < s * s; ++j) sum += image.At(x * s + j % s, y * s + j / s, channel);
        const uint64_t area = static_cast<uint64_t>(s * s);
        alpha.push_back(static_cast<T>((sum + area / 2) / area));
        continue;
      }
      if (s == 1) {
        alpha.push_back(static_cast<T>(image.At(x, y, channel)));
        continue;
      }
      const auto split = [s](int64_t at, int64_t& i, int64_t& f) {
        const int64_t n = 2 * at + 1 - s;
        i = n < 0 ? -1 : n / (2 * s);
        f = n - 2 * s * i;
      };
      int64_t i = 0, fx = 0, j = 0, fy = 0;
      split(x, i, fx);
      split(y, j, fy);
      sum = static_cast<uint64_t>((2 * s - fx) * (2 * s - fy)) * image.At(i, j, channel) +
            static_cast<uint64_t>(fx * (2 * s - fy)) * image.At(i + 1, j, channel) +
            static_cast<uint64_t>((2 * s - fx) * fy) * image.At(i, j + 1, channel) +
            static_cast<uint64_t>(fx * fy) * image.At(i + 1, j + 1, channel);
      const uint64_t whole = static_cast<uint64_t>(4 * s * s);
      alpha.push_back(static_cast<T>((sum + whole / 2) / whole));
    }
  }
  return alpha;
}

// The samples of a part of the padded input; what lies beyond the image is padding that must not be
// looked at.
template <typename T>
std::vector<T> Cut(const Image<T>& image, const Rect& part) {
  std::vector<T> samples;
  for (int64_t y = part.y; y < part.bottom(); ++y) {
    for (int64_t x = part.x; x < part.right(); ++x) {
      for (int c = 0; c < image.channels; ++c) {
        const bool inside = x < image.size.width && y < image.size.height;
        samples.push_back(static_cast<T>(inside ? image.At(x, y, c) : 77));
      }
    }
  }
  return samples;
}

template <typename T>
std::vector<T> Resized(const Image<T>& image, int channel, Scale scale, const Rect& input,
                       const Rect& output, absl::Status* error = nullptr) {
  const std::vector<T> samples = Cut(image, input);
  std::vector<T> alpha(static_cast<size_t>(output.area()));
  const AlphaTile tile = {reinterpret_cast<const std::byte*>(samples.data()),
                          kType<T>,
                          image.channels,
                          channel,
                          input,
                          image.size};
  const absl::Status status =
      ResizeAlpha(tile, scale, output, reinterpret_cast<std::byte*>(alpha.data()));
  if (error != nullptr) {
    *error = status;
  } else {
    EXPECT_TRUE(status.ok()) << status;
  }
  return alpha;
}

template <typename T>
std::vector<T> Whole(const Image<T>& image, int channel, Scale scale) {
  return Resized(
      image, channel, scale, {0, 0, image.size.width, image.size.height},
      {0, 0, scale.OutputLength(image.size.width), scale.OutputLength(image.size.height)});
}

template <typename T>
void ExpectNaive(Size size, int channels, Scale scale) {
  const Image<T> image = Noise<T>(size, channels, 7);
  const Size output = {scale.OutputLength(size.width), scale.OutputLength(size.height)};
  EXPECT_EQ(Whole(image, channels - 1, scale), Naive(image, channels - 1, scale, output))
      << ToString(size) << " at " << scale.p() << "/" << scale.q();
}

// Tiles of a plan's axes, halo 1, against the whole image.
template <typename T>
void ExpectTiledIsWhole(Size size, Scale scale, int64_t alignment, int64_t halo) {
  const Image<T> image = Noise<T>(size, 4, 11);
  const Size output = {scale.OutputLength(size.width), scale.OutputLength(size.height)};
  const std::vector<T> whole = Whole(image, 3, scale);
  const auto axis = [&](int64_t length) {
    const int64_t padded = PaddedLength(length, alignment, alignment);
    const int64_t tile = std::min(padded, 6 * alignment);
    return *Axis::Create({padded, tile, halo, 0, alignment, scale});
  };
  const Axis columns = axis(size.width), rows = axis(size.height);
  std::vector<T> tiled(whole.size());
  for (int64_t j = 0; j < rows.tile_count(); ++j) {
    for (int64_t i = 0; i < columns.tile_count(); ++i) {
      const Rect input = Rect::FromIntervals(columns.Input(i), rows.Input(j));
      const Rect part =
          Intersect(Rect::FromIntervals(columns.Contribution(i), rows.Contribution(j)),
                    {0, 0, output.width, output.height});
      const std::vector<T> alpha = Resized(image, 3, scale, input, part);
      for (int64_t y = 0; y < part.height; ++y) {
        std::copy_n(alpha.begin() + y * part.width, part.width,
                    tiled.begin() + (part.y + y) * output.width + part.x);
      }
    }
  }
  EXPECT_EQ(tiled, whole) << ToString(size) << " at " << scale.p() << "/" << scale.q();
}

TEST(ResizeAlpha, IsTheStatedRule) {
  for (const Size size : {Size{1, 1}, Size{1, 9}, Size{2, 2}, Size{13, 7}}) {
    for (const int channels : {1, 2, 4}) {
      for (const int64_t s : {1, 2, 3, 4, 32}) {
        ExpectNaive<uint8_t>(size, channels, *Scale::Create(s, 1));
        ExpectNaive<uint16_t>(size, channels, *Scale::Create(s, 1));
        ExpectNaive<uint8_t>(size, channels, *Scale::Create(1, s));
        ExpectNaive<uint16_t>(size, channels, *Scale::Create(1, s));
      }
    }
  }
}

TEST(ResizeAlpha, GivesTheLiteralSamples) {
  const Image<uint8_t> edge = {{2, 1}, 1, {0, 255}};
  // Phases -1/4, 1/4, 3/4, 5/4: 0, 63.75, 191.25, 255.
  EXPECT_EQ(Whole(edge, 0, *Scale::Create(2, 1)),
            (std::vector<uint8_t>{0, 64, 191, 255, 0, 64, 191, 255}));
  const Image<uint8_t> row = {{3, 1}, 1, {0, 100, 201}};
  // Pixel centres at 1/6, 5/6, 9/6, …: 3/2 has phases -1/6, 1/2, 7/6, 11/6, 5/2.
  EXPECT_EQ(Whole(row, 0, *Scale::Create(3, 2)),
            (std::vector<uint8_t>{0, 50, 117, 184, 201, 0, 50, 117, 184, 201}));
  // 2/3: each output pixel covers one and a half input pixels, here beyond the border 201 again.
  EXPECT_EQ(Whole(row, 0, *Scale::Create(2, 3)), (std::vector<uint8_t>{33, 167}));
}

TEST(ResizeAlpha, KeepsConstantsAtEveryScale) {
  for (const auto& [p, q] : {std::pair<int64_t, int64_t>{4, 1}, {3, 2}, {5, 4}, {2, 3}, {1, 3}}) {
    Image<uint16_t> image = Noise<uint16_t>({11, 5}, 4, 3);
    for (size_t i = 3; i < image.samples.size(); i += 4) image.samples[i] = 65535;
    for (const uint16_t sample : Whole(image, 3, *Scale::Create(p, q))) ASSERT_EQ(sample, 65535);
  }
}

TEST(ResizeAlpha, OfTilesWithHaloOneIsThatOfTheWholeImage) {
  for (const Size size : {Size{1, 1}, Size{5, 50}, Size{37, 23}}) {
    for (const int64_t s : {1, 2, 3, 4}) {
      ExpectTiledIsWhole<uint8_t>(size, *Scale::Create(s, 1), 1, 1);
      ExpectTiledIsWhole<uint16_t>(size, *Scale::Create(s, 1), 4, 1);
      ExpectTiledIsWhole<uint16_t>(size, *Scale::Create(1, s), s, 0);
    }
    ExpectTiledIsWhole<uint8_t>(size, *Scale::Create(3, 2), 2, 2);
    ExpectTiledIsWhole<uint8_t>(size, *Scale::Create(2, 3), 3, 0);
  }
}

TEST(ResizeAlpha, RefusesATileWithoutTheHalo) {
  const Image<uint8_t> image = Noise<uint8_t>({20, 4}, 1, 1);
  absl::Status status;
  Resized(image, 0, *Scale::Create(2, 1), {0, 0, 10, 4}, {0, 0, 20, 8}, &status);
  EXPECT_EQ(status, absl::InvalidArgumentError(
                        "resizing alpha at scale 2/1 needs input pixel 10, the tile holds [0, 10): "
                        "a tile with alpha needs a halo of at least 1"));
  Resized(image, 0, *Scale::Create(2, 1), {0, 0, 11, 4}, {0, 0, 20, 8}, &status);
  EXPECT_TRUE(status.ok()) << status;
}

TEST(ResizeAlpha, RefusesFloatsAndNonsense) {
  AlphaTile tile = {nullptr, SampleType::kF32, 1, 0, {0, 0, 4, 4}, {4, 4}};
  EXPECT_EQ(ResizeAlpha(tile, Scale(), {0, 0, 4, 4}, nullptr),
            absl::InvalidArgumentError("alpha of type f32 cannot be resized: use u8 or u16"));
  tile.type = SampleType::kU8;
  tile.alpha_channel = 1;
  EXPECT_EQ(
      ResizeAlpha(tile, Scale(), {0, 0, 4, 4}, nullptr),
      absl::InvalidArgumentError("alpha channel 1 of 1, image 4x4, output 4x4+0+0 make no sense"));
}

}  // namespace
}  // namespace tilewright
