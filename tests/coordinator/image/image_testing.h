// Image files for the tests of reading and writing: made by OpenCV or byte by byte where that is
// possible, so that our reader is not only held against itself.

#ifndef TILEWRIGHT_TESTS_COORDINATOR_IMAGE_IMAGE_TESTING_H_
#define TILEWRIGHT_TESTS_COORDINATOR_IMAGE_IMAGE_TESTING_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "coordinator/image/image_reader.h"
#include "coordinator/image/output_file.h"
#include "coordinator/merge/canvas.h"

namespace tilewright {

// A folder of its own, readable by everyone, removed at the end.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  // Names in it, sorted.
  std::vector<std::string> List() const;

 private:
  std::string folder_;
};

// Noise in canvas layout; values in [0, 1) for f32 and f16.
std::vector<std::byte> NoiseSamples(const CanvasFormat& format, uint64_t seed);
// A smooth coloured picture, for lossy formats.
std::vector<std::byte> SmoothSamples(const CanvasFormat& format);

// `samples` (1, 3 or 4 channels) as an OpenCV image, whose channels are in the order BGR(A).
cv::Mat ToMat(const CanvasFormat& format, const std::vector<std::byte>& samples);
// Written by OpenCV, the format by the extension; fails the test if it cannot.
void WriteByOpenCv(const std::string& path, const CanvasFormat& format,
                   const std::vector<std::byte>& samples);
// Written by libvips with default options.
void WriteByVips(const std::string& path, const CanvasFormat& format,
                 const std::vector<std::byte>& samples);

// Path of a picture that another tool made, in tests/data/images.
std::string DataFile(const std::string& name);
// Path of an array that NumPy made, in tests/data/arrays.
std::string ArrayFile(const std::string& name);
// What those who made these files painted: sample c of the pixel (x, y) is (7x + 13y + 50c) mod
// 256, scaled to u8, u16 or f32.
std::vector<std::byte> RampSamples(const CanvasFormat& format);
std::string ReadFile(const std::string& path);
void WriteFile(const std::string& path, const std::string& bytes);
// An executable shell script.
void WriteScript(const std::string& path, const std::string& body);

// A NumPy array file of version 1 by hand: `descr` and `shape` as they stand in the header.
std::string NpyFile(const std::string& descr, const std::string& shape, const std::string& samples);

std::unique_ptr<ImageReader> OpenOrFail(const std::string& path);
// All pixels as stored.
std::vector<std::byte> ReadAll(ImageReader& reader);
// The status of opening and reading all of it.
absl::Status TryToRead(const std::string& path);

// A directory of a TIFF as libtiff alone reads it.
struct TiffImage {
  CanvasFormat format;
  int64_t tile_side = 0;
  bool reduced = false;  // the directory says that it is a reduced image
  std::vector<std::byte> samples;
};
// Empty, and a failure of the test, if there is no such directory or it cannot be read.
TiffImage ReadByLibtiff(const std::string& path, int directory = 0);

// Writes every block in a shuffled order; the first error.
absl::Status WriteBlocks(OutputFile& output, const CanvasFormat& format,
                         const std::vector<std::byte>& samples, uint64_t seed);

// A real ICC profile (sRGB).
std::vector<std::byte> SrgbProfile();

// Path of this program, which is its own export child.
std::string ThisProgram();

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_COORDINATOR_IMAGE_IMAGE_TESTING_H_
