#include "proto/geometry/rect.h"

#include "gtest/gtest.h"

namespace tilewright {
namespace {

TEST(Interval, IsHalfOpen) {
  const Interval a = {2, 5};
  EXPECT_EQ(a.length(), 3);
  EXPECT_TRUE(a.Contains({2, 5}));
  EXPECT_FALSE(a.Contains({2, 6}));
  EXPECT_FALSE(a.Contains({1, 5}));
  EXPECT_TRUE((Interval{5, 5}).empty());
  EXPECT_TRUE(Intersect(a, {5, 9}).empty());
  EXPECT_EQ(Intersect(a, {4, 9}), (Interval{4, 5}));
}

TEST(Rect, IsMadeOfTwoIntervals) {
  const Rect r = Rect::FromIntervals({10, 14}, {20, 27});
  EXPECT_EQ(r, (Rect{10, 20, 4, 7}));
  EXPECT_EQ(r.horizontal(), (Interval{10, 14}));
  EXPECT_EQ(r.vertical(), (Interval{20, 27}));
  EXPECT_EQ(r.right(), 14);
  EXPECT_EQ(r.bottom(), 27);
  EXPECT_EQ(r.area(), 28);
  EXPECT_EQ(r.size(), (Size{4, 7}));
}

TEST(Rect, IntersectsAndContains) {
  const Rect r = {0, 0, 10, 10};
  EXPECT_EQ(Intersect(r, {5, 8, 10, 10}), (Rect{5, 8, 5, 2}));
  EXPECT_TRUE(Intersect(r, {10, 0, 5, 5}).empty());
  EXPECT_TRUE(r.Contains(Rect{0, 0, 10, 10}));
  EXPECT_FALSE(r.Contains(Rect{0, 1, 10, 10}));
}

TEST(Rect, ReadsLikeAnX11Geometry) {
  EXPECT_EQ(ToString(Rect{10, 20, 512, 256}), "512x256+10+20");
  EXPECT_EQ(ToString(Size{512, 256}), "512x256");
}

}  // namespace
}  // namespace tilewright
