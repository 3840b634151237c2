// Small pictures that tests render: made from seeds, written and read with libvips, not with the
// code under test. Functions on values; not thread-safe.

#ifndef TILEWRIGHT_TESTS_CLUSTER_PICTURE_H_
#define TILEWRIGHT_TESTS_CLUSTER_PICTURE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tilewright {

struct Picture {
  int width = 0;
  int height = 0;
  int channels = 3;
  int bits = 8;                    // 8 or 16
  std::vector<std::byte> samples;  // row-major, interleaved, native byte order

  friend bool operator==(const Picture&, const Picture&) = default;
};

// Uniform noise: no two tiles look alike.
Picture NoisePicture(int width, int height, int channels, int bits, uint64_t seed);

// By the path's extension (.tif uncompressed, .png, …).
absl::Status WritePicture(const Picture& picture, const std::string& path);
absl::StatusOr<Picture> ReadPicture(const std::string& path);

struct PictureRect {
  int x = 0;
  int y = 0;
  int width = 0;
  int height = 0;
};
// A part of a picture in a tiled TIFF, of any size.
absl::StatusOr<Picture> ReadPictureRect(const std::string& path, const PictureRect& rect);

// "equal", or what differs first: size, channels, type, or the first sample and how many samples in
// all.
std::string Difference(const Picture& got, const Picture& want);

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_CLUSTER_PICTURE_H_
