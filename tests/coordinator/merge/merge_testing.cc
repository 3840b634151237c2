#include "tests/coordinator/merge/merge_testing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace tilewright {

std::vector<std::byte> TestImage::Cut(const Rect& rect) const {
  std::vector<std::byte> part;
  for (int64_t y = rect.y; y < rect.bottom(); ++y) {
    const std::byte* row = Pixel(rect.x, y);
    part.insert(part.end(), row, row + rect.width * format.pixel_bytes());
  }
  return part;
}

void TestImage::Paste(const Rect& rect, const std::vector<std::byte>& part) {
  const int64_t row_bytes = rect.width * format.pixel_bytes();
  for (int64_t y = 0; y < rect.height; ++y) {
    std::memcpy(Pixel(rect.x, rect.y + y), part.data() + y * row_bytes,
                static_cast<size_t>(row_bytes));
  }
}

uint64_t TestImage::Hash() const {
  PixelHash hash(format);
  for (int64_t row = 0; row < format.block_rows(); ++row) {
    for (int64_t column = 0; column < format.block_columns(); ++column) {
      hash.AddBlock(column, row, Cut(format.BlockRect(column, row)));
    }
  }
  return hash.Finish();
}

void FillRandom(SampleType type, std::mt19937_64& random, std::vector<std::byte>& samples) {
  if (type == SampleType::kU8 || type == SampleType::kU16) {
    for (size_t i = 0; i < samples.size(); i += sizeof(uint64_t)) {
      const uint64_t value = random();
      std::memcpy(&samples[i], &value, std::min(sizeof(value), samples.size() - i));
    }
    return;
  }
  std::uniform_real_distribution<float> unit(0.0f, 1.0f);
  const auto size = static_cast<size_t>(BytesPerSample(type));
  for (size_t i = 0; i < samples.size(); i += size) {
    const float value = unit(random);
    const uint16_t half = HalfFromFloat(value);
    const void* sample = &half;
    if (type == SampleType::kF32) sample = &value;
    std::memcpy(&samples[i], sample, size);
  }
}

TestImage RandomImage(const CanvasFormat& format, uint64_t seed) {
  TestImage image(format);
  std::mt19937_64 random(seed);
  FillRandom(format.sample, random, image.samples);
  return image;
}

Tiles DisagreeingTiles(const StagePlan& plan, const CanvasFormat& format, uint64_t seed) {
  std::mt19937_64 random(seed);
  Tiles tiles;
  for (int64_t tile = 0; tile < plan.tile_count(); ++tile) {
    tiles.emplace_back(
        static_cast<size_t>(plan.Contribution({tile}).area() * format.pixel_bytes()));
    FillRandom(format.sample, random, tiles.back());
  }
  return tiles;
}

StagePlan MakePlan(Size image, int64_t tile, int64_t overlap, int64_t scale, int64_t halo) {
  ModelGeometry model;
  model.scale = Scale::Create(scale, 1).value();
  model.halo = halo;
  PlanRequest request;
  request.image = image;
  request.tile = tile;
  request.overlap = overlap;
  absl::StatusOr<StagePlan> plan = StagePlan::Create(model, request);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return *std::move(plan);
}

absl::Status ImageSink::WriteBlock(int64_t column, int64_t row,
                                   absl::Span<const std::byte> samples) {
  if (!blocks.insert({column, row}).second) {
    return absl::InternalError(absl::StrCat("block ", column, ",", row, " came twice"));
  }
  hash.AddBlock(column, row, samples);
  image.Paste(image.format.BlockRect(column, row), {samples.begin(), samples.end()});
  return absl::OkStatus();
}

}  // namespace tilewright
