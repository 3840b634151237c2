// The header of a NumPy array file (.npy), read and written. Pure; thread-safe: functions.
//
// Such a file is a magic text, a version, and a Python dictionary that names the type of the
// samples, their order and the shape; the samples follow, as they are.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_NPY_HEADER_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_NPY_HEADER_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/blend/sample.h"
#include "proto/geometry/rect.h"

namespace tilewright {

// Most bytes of a header that is read: many times what NumPy writes for a plain array.
inline constexpr int64_t kNpyHeaderBytesMax = int64_t{64} << 10;

struct NpyHeader {
  Size size;                            // pixels
  int channels = 1;                     // 1 … kChannelsMax
  SampleType sample = SampleType::kU8;  // kU8, kU16 or kF32
  int64_t bytes = 0;                    // of the header: where the samples begin

  int64_t pixel_bytes() const { return channels * BytesPerSample(sample); }
};

// Whether a file that begins so is an array file.
bool IsNpy(absl::string_view start);
// `start` is the file up to kNpyHeaderBytesMax bytes. Versions 1 to 3, little endian samples of
// types u1, u2 and f4 in C order, shapes (height, width) and (height, width, channels) with no side
// of 0; its sides may be of any size. INVALID_ARGUMENT for all else, saying what is wrong ("it
// has …") and for an array of another make what to save instead.
absl::StatusOr<NpyHeader> ParseNpyHeader(absl::string_view start);

// As NumPy writes it, padded to a multiple of 64 bytes: shape (height, width) for one channel, else
// (height, width, channels). `sample` is kU8, kU16 or kF32.
std::string WriteNpyHeader(Size size, int channels, SampleType sample);
// Of the whole file that begins so.
int64_t NpyFileBytes(Size size, int channels, SampleType sample);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_NPY_HEADER_H_
