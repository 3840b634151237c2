// Integer rectangles and intervals in pixels. Value types; pure.

#ifndef TILEWRIGHT_PROTO_GEOMETRY_RECT_H_
#define TILEWRIGHT_PROTO_GEOMETRY_RECT_H_

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"

namespace tilewright {

// Pixels.
struct Size {
  int64_t width = 0;
  int64_t height = 0;

  int64_t area() const { return width * height; }
  friend bool operator==(const Size&, const Size&) = default;
};

// The half-open range [begin, end) of one axis, in pixels.
struct Interval {
  int64_t begin = 0;
  int64_t end = 0;

  int64_t length() const { return end - begin; }
  bool empty() const { return end <= begin; }
  bool Contains(Interval other) const { return begin <= other.begin && other.end <= end; }
  friend bool operator==(const Interval&, const Interval&) = default;
};

inline Interval Intersect(Interval a, Interval b) {
  return {std::max(a.begin, b.begin), std::min(a.end, b.end)};
}

// The pixels [x, x + width) × [y, y + height). Empty if either side is not positive.
struct Rect {
  int64_t x = 0;
  int64_t y = 0;
  int64_t width = 0;
  int64_t height = 0;

  static Rect FromIntervals(Interval horizontal, Interval vertical) {
    return {horizontal.begin, vertical.begin, horizontal.length(), vertical.length()};
  }

  Interval horizontal() const { return {x, x + width}; }
  Interval vertical() const { return {y, y + height}; }
  int64_t right() const { return x + width; }
  int64_t bottom() const { return y + height; }
  int64_t area() const { return width * height; }
  Size size() const { return {width, height}; }
  bool empty() const { return width <= 0 || height <= 0; }
  bool Contains(const Rect& other) const {
    return horizontal().Contains(other.horizontal()) && vertical().Contains(other.vertical());
  }
  friend bool operator==(const Rect&, const Rect&) = default;
};

inline Rect Intersect(const Rect& a, const Rect& b) {
  return Rect::FromIntervals(Intersect(a.horizontal(), b.horizontal()),
                             Intersect(a.vertical(), b.vertical()));
}

// "512x256+10+20", as X11 and ImageMagick write it; for messages and tests.
inline std::string ToString(const Rect& r) {
  return absl::StrCat(r.width, "x", r.height, "+", r.x, "+", r.y);
}
inline std::string ToString(Size s) { return absl::StrCat(s.width, "x", s.height); }

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_GEOMETRY_RECT_H_
