// Which pixels of an image a job may change: a grey image beside it. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_MASK_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_MASK_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "coordinator/image/image_reader.h"
#include "proto/blend/sample.h"
#include "proto/geometry/rect.h"

namespace tilewright {

class Mask {
 public:
  // `reader` (access kAnywhere) must outlive the mask. It has the size of `image` as stored or as
  // shown, that is turned by the image's orientation. INVALID_ARGUMENT for another size, for more
  // than one channel, and for floats.
  static absl::StatusOr<std::unique_ptr<Mask>> Create(ImageReader& reader, const ImageInfo& image);

  SampleType sample() const { return reader_.info().sample; }  // kU8 or kU16
  // The mask of a rectangle of the image as stored. `samples` becomes width × height samples, row
  // by row; 0 keeps a pixel. Errors as of ImageReader::Read.
  absl::Status Read(const Rect& rect, std::vector<std::byte>& samples) const;
  // Whether it is known, without decoding anything, to change no pixel of the rectangle.
  bool KnownEmpty(const Rect& rect) const { return reader_.KnownZero(Shown(rect)); }
  // Whether it changes a pixel of the rectangle; if so, `samples` is filled as by Read, else it may
  // be anything. Cheap where the mask's file is known to hold nothing.
  absl::StatusOr<bool> Marks(const Rect& rect, std::vector<std::byte>& samples) const;

 private:
  Mask(ImageReader& reader, Size image, int orientation)
      : reader_(reader), image_(image), orientation_(orientation) {}

  // Where the pixels of a rectangle of the image as stored lie in the mask.
  Rect Shown(const Rect& rect) const;

  ImageReader& reader_;
  const Size image_;       // as stored
  const int orientation_;  // EXIF: how the mask lies over the stored image; 1: as stored
};

// Puts into `result` the source's samples where the mask says so: (src (M-m) + res m + M/2) / M,
// M being the greatest value of the mask's type. All three hold the same pixels; `sample` is kU8 or
// kU16. A sample under 0 is the source's, bit by bit.
void ApplyMask(SampleType sample, int channels, absl::Span<const std::byte> source,
               SampleType mask_sample, absl::Span<const std::byte> mask,
               absl::Span<std::byte> result);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_MASK_H_
