// Reads rectangles of a NumPy array file. Thread-safe.
//
// There is nothing to decode: rows are read from the file where they lie, at places that the
// checked header bounds. So an array that a stranger sent needs no child process to be read in.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_NPY_READER_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_NPY_READER_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/image/image_reader.h"

namespace tilewright {

class NpyReader : public ImageReader {
 public:
  static constexpr absl::string_view kFormat = "npy";  // of its info()

  // Takes `file` if it begins as an array file. Else nullptr, and `file` stays. One channel is
  // grey, three are RGB, any other number is an array; none is alpha. Errors as of
  // ImageReader::Open and ParseNpyHeader; DATA_LOSS if the file has not exactly the samples that
  // its header tells of.
  static absl::StatusOr<std::unique_ptr<ImageReader>> OpenIfNpy(const ImageLimits& limits,
                                                                int64_t page,
                                                                std::unique_ptr<FileWatch>* file);

 protected:
  absl::Status ReadInside(const Rect& rect, absl::Span<std::byte> samples) override;

 private:
  NpyReader(ImageInfo info, std::unique_ptr<FileWatch> file, int64_t header_bytes)
      : ImageReader(std::move(info), std::move(file)), header_bytes_(header_bytes) {}

  const int64_t header_bytes_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_NPY_READER_H_
