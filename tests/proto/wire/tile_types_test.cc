#include "proto/wire/tile_types.h"

#include <gtest/gtest.h>

namespace tilewright {
namespace {

TEST(TileTypes, EverySampleTypeComesBackWithItsSize) {
  for (SampleType type : {SampleType::kU8, SampleType::kU16, SampleType::kF16, SampleType::kF32}) {
    EXPECT_EQ(FromWire(ToWire(type)), type);
    EXPECT_EQ(SampleBytes(ToWire(type)), BytesPerSample(type));
  }
}

TEST(TileTypes, AnUnknownSampleTypeHasNoSize) {
  for (v1::SampleType type : {v1::SAMPLE_TYPE_UNSPECIFIED, static_cast<v1::SampleType>(99)}) {
    EXPECT_EQ(FromWire(type), std::nullopt);
    EXPECT_EQ(SampleBytes(type), 0);
  }
}

TEST(TileTypes, ARectangleComesBack) {
  const Rect rect{-3, 5, 640, 480};
  v1::Rect wire;
  SetWire(rect, &wire);
  EXPECT_EQ(wire.x(), -3);
  EXPECT_EQ(wire.height(), 480);
  EXPECT_EQ(FromWire(wire), rect);
}

}  // namespace
}  // namespace tilewright
