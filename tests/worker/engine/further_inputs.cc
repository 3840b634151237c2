#include "tests/worker/engine/further_inputs.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tilewright {
namespace {

constexpr double kRounding = 1e-6;  // network values

float At(const Picture& picture, int64_t x, int64_t y, int64_t channel) {
  return picture
      .values[static_cast<size_t>((y * picture.size.width + x) * picture.channels + channel)];
}

// The channels [0, count) of the image and those behind them, exchanged.
Picture Exchanged(const Picture& picture, int count) {
  Picture exchanged = picture;
  for (auto pixel = exchanged.values.begin(); pixel != exchanged.values.end();
       pixel += picture.channels) {
    std::rotate(pixel, pixel + count, pixel + picture.channels);
  }
  return exchanged;
}

Picture RunOrFail(const absl::StatusOr<Picture>& picture) {
  EXPECT_TRUE(picture.ok()) << picture.status();
  return picture.value_or(Picture());
}

}  // namespace

Picture FilledByHand(const Picture& tiles) {
  Picture filled{tiles.size, 3, {}};
  const auto [width, height] = tiles.size;
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      for (int64_t c = 0; c < 3; ++c) {
        double sum = 0;
        for (int64_t v = std::max<int64_t>(y - 2, 0); v < std::min(y + 3, height); ++v) {
          for (int64_t u = std::max<int64_t>(x - 2, 0); u < std::min(x + 3, width); ++u) {
            sum += double{At(tiles, u, v, c)};
          }
        }
        const double mask = At(tiles, x, y, 3);
        filled.values.push_back(
            static_cast<float>(double{At(tiles, x, y, c)} * (1 - mask) + sum / 25 * mask));
      }
    }
  }
  return filled;
}

Picture MixedByHand(const Picture& tiles) {
  Picture mixed{tiles.size, 3, {}};
  for (int64_t i = 0; i < tiles.size.area(); ++i) {
    for (int64_t c = 0; c < 3; ++c) {
      mixed.values.push_back(static_cast<float>(0.6 * double{At(tiles, i, 0, c)} +
                                                0.4 * double{At(tiles, i, 0, c + 3)}));
    }
  }
  return mixed;
}

void ExpectFurtherInputs(Engine& engine, const LocalModel& fill, const LocalModel& mix) {
  const Picture masked = NoisePicture({128, 90}, 4, 3);  // two tiles without slack
  const Picture filled = FilledByHand(masked);
  EXPECT_LT(Compare(RunOrFail(RunWhole(engine, fill, masked)), filled).max_raw, kRounding);
  EXPECT_LT(Compare(RunOrFail(RunTiled(engine, fill, masked, 64, 2)), filled).max_raw, kRounding);
  EXPECT_GT(Compare(RunOrFail(RunTiled(engine, fill, masked, 64, 0)), filled).max_lsb, 8)
      << "the control: without a halo there are seams";
  EXPECT_GT(Compare(FilledByHand(Exchanged(masked, 1)), filled).max_lsb, 8)
      << "the control: exchanged inputs";

  const Picture pair = NoisePicture({70, 40}, 6, 4);
  const Picture mixed = MixedByHand(pair);
  EXPECT_LT(Compare(RunOrFail(RunWhole(engine, mix, pair)), mixed).max_raw, kRounding);
  EXPECT_GT(Compare(MixedByHand(Exchanged(pair, 3)), mixed).max_lsb, 8)
      << "the control: exchanged inputs";
  // A batch, the last tile of which is padding.
  const auto stage = engine.Load(mix, KeyFor(mix, {16, 16}, 3, 6), {});
  ASSERT_TRUE(stage.ok()) << stage.status();
  std::vector<NetworkTile> tiles;
  for (uint64_t i = 0; i < 2; ++i) {
    tiles.push_back({i, {16, 16}, 6, NoisePicture({16, 16}, 6, i).values});
  }
  const auto outputs = (*stage)->Run(tiles);
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  ASSERT_EQ(outputs->size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    const Picture got{{16, 16}, 3, (*outputs)[i].values};
    EXPECT_LT(Compare(got, MixedByHand({{16, 16}, 6, tiles[i].values})).max_raw, kRounding);
  }
}

}  // namespace tilewright
