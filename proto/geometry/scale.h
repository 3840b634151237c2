// The rational factor between a stage's input and output pixels, and the padding of an image to an
// alignment. Value types; pure.

#ifndef TILEWRIGHT_PROTO_GEOMETRY_SCALE_H_
#define TILEWRIGHT_PROTO_GEOMETRY_SCALE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "proto/geometry/rect.h"

namespace tilewright {

// Output pixels per input pixel, p / q in lowest terms, between 1/32 and 32.
class Scale {
 public:
  // Bound of p and q in lowest terms: products with a pixel count stay far from overflow.
  static constexpr int64_t kMaxTerm = 65536;

  // One to one.
  constexpr Scale() = default;
  // Reduces p / q. INVALID_ARGUMENT outside 1/32 … 32, or with a reduced term above kMaxTerm.
  static absl::StatusOr<Scale> Create(int64_t p, int64_t q);

  int64_t p() const { return p_; }
  int64_t q() const { return q_; }
  // ceil(input * p / q): the output length of an image axis.
  int64_t OutputLength(int64_t input) const { return (input * p_ + q_ - 1) / q_; }
  // input * p / q. Precondition: input is a multiple of q.
  int64_t Exact(int64_t input) const;
  double value() const { return static_cast<double>(p_) / static_cast<double>(q_); }
  friend bool operator==(const Scale&, const Scale&) = default;

 private:
  constexpr Scale(int64_t p, int64_t q) : p_(p), q_(q) {}
  int64_t p_ = 1;
  int64_t q_ = 1;
};

// How samples beyond the right and bottom border are made.
enum class PadMode {
  kReflect,    // OpenCV's BORDER_REFLECT_101, repeated as needed: dcb|abcd|cba
  kReplicate,  // the border sample
  kZero,       // zero samples
};

// W = alignment * ceil(max(size, minimum) / alignment): an image is padded once, right and bottom,
// so that every tile has one shape. All positive.
int64_t PaddedLength(int64_t size, int64_t minimum, int64_t alignment);

// The index in [0, size) whose sample stands at padded index `index` ≥ 0, or -1 for a zero sample.
// A one-pixel axis repeats its pixel in every mode but kZero.
int64_t PadSource(int64_t index, int64_t size, PadMode mode);

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_GEOMETRY_SCALE_H_
