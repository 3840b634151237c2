// Reads rectangles of an input image. Thread-safe. Tiled TIFF is decoded where it is read, by as
// many threads as ask, and a NumPy array needs no decoding; everything else is decoded once, from
// top to bottom.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_IMAGE_READER_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_IMAGE_READER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "coordinator/image/file_watch.h"
#include "coordinator/image/tile_storage.h"
#include "coordinator/merge/canvas.h"
#include "proto/blend/sample.h"
#include "proto/geometry/rect.h"
#include "proto/geometry/scale.h"

namespace tilewright {

// Carried from input to output unchanged.
struct ImageMetadata {
  std::vector<std::byte> icc_profile;  // empty: none
  std::vector<std::byte> xmp;          // empty: none
  double x_pixels_per_mm = 0;          // 0: not said
  double y_pixels_per_mm = 0;
  int orientation = 1;  // EXIF, 1 … 8; pixels stay as stored
};

// Where pixels can be read, and what that takes.
enum class ImageAccess {
  kAnywhere,  // any rectangle at any time
  kTopDown,   // rows are decoded once, in order; see ImageReader::Read
  kWhole,     // kTopDown, and the format makes its library hold all of the image while it is read
};

struct ImageInfo {
  Size size;         // pixels as stored
  int channels = 0;  // 1 grey, 2 grey+alpha, 3 RGB, 4 RGB+alpha; any number of an array
  bool has_alpha = false;
  bool array = false;  // 2, 4 or more channels that are values, not colours: none is alpha
  SampleType sample = SampleType::kU8;
  ImageMetadata metadata;
  std::string format;  // libvips loader or "npy", for messages
  ImageAccess access = ImageAccess::kAnywhere;
  int64_t file_bytes = 0;
  int64_t pages = 1;       // of the file: more than one only of a TIFF
  int64_t tile_bytes = 0;  // of a decoded tile of a tiled TIFF; 0 of all else
  // Of a tiled TIFF, if an output may store its tiles like that.
  std::optional<TileStorage> storage;

  int64_t pixel_bytes() const { return channels * BytesPerSample(sample); }
};

// Checked on the header, before the first pixel.
struct ImageLimits {
  int64_t side_max = 1'000'000;  // pixels
  int64_t decoded_bytes_max = int64_t{1} << 40;
};

// Most bytes that a reader of the image holds for rectangles of up to `rows` rows, what is handed
// out apart: a window of full rows, or a cache of decoded tiles, and all of the image where its
// format asks for it.
int64_t ReaderMemory(const ImageInfo& info, int64_t rows);
// What libvips holds beside that, about, while it decodes an image from top to bottom.
int64_t DecoderMemory(const ImageInfo& info);

// Call once first thing in main (of programs that read or export images): starts libvips, bounds
// its cache and threads, and silences its log. Returns INTERNAL if libvips cannot start.
absl::Status StartImageLibrary(const char* program);

class ImageReader {
 public:
  // NOT_FOUND (missing), INVALID_ARGUMENT (empty, not an image, unsupported bands),
  // RESOURCE_EXHAUSTED (over a limit), PERMISSION_DENIED: each names the path. CMYK is converted to
  // RGB, a palette is looked up. Of a TIFF of several images it reads a page, 0 being the first
  // (see FindTiffPage); all else is one page. INVALID_ARGUMENT, naming the count, if there is no
  // such page.
  static absl::StatusOr<std::unique_ptr<ImageReader>> Open(const std::string& path,
                                                           const ImageLimits& limits,
                                                           int64_t page = 0);
  virtual ~ImageReader() = default;

  const ImageInfo& info() const { return info_; }
  // The pixels of `rect`, row-major and interleaved. `rect` starts inside the image and may reach
  // beyond its right and bottom border, which is then padded by `pad`. DATA_LOSS if the file is
  // truncated or damaged there, FAILED_PRECONDITION if it was changed since it was opened.
  //
  // Unless info().access is kAnywhere, reading forgets all rows above the rectangle: one that needs
  // them again is FAILED_PRECONDITION, too.
  absl::Status Read(const Rect& rect, PadMode pad, absl::Span<std::byte> samples);
  // Whether the samples of `rect`, inside the image, are known to be all 0 without decoding
  // anything: what it was read from before said so. False: they may be.
  virtual bool KnownZero(const Rect& /*rect*/) { return false; }
  // The tiles of the file that hold the pixels of `rect`, inside the image, and none beside it, as
  // they are stored: what Read gives of it, unless that fails. nullopt if there are no such tiles.
  // Wants info().storage. Errors as of Read.
  virtual absl::StatusOr<std::optional<StoredBlock>> ReadStored(const Rect& /*rect*/) {
    return std::nullopt;
  }
  // FAILED_PRECONDITION if the file was changed since it was opened.
  absl::Status CheckUnchanged() const { return file_->Check(); }

 protected:
  ImageReader(ImageInfo info, std::unique_ptr<FileWatch> file)
      : info_(std::move(info)), file_(std::move(file)) {}

  // As Read, of a rectangle inside the image.
  virtual absl::Status ReadInside(const Rect& rect, absl::Span<std::byte> samples) = 0;
  const FileWatch& file() const { return *file_; }
  // DATA_LOSS with the library's reason.
  absl::Status Damaged(const std::string& reason) const;

 private:
  const ImageInfo info_;
  const std::unique_ptr<FileWatch> file_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_IMAGE_READER_H_
