// The pages of a TIFF: the images in its chain of directories that are no reduced image and no
// transparency mask of another one. Thread-safe: a function and values.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_TIFF_PAGES_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_TIFF_PAGES_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "coordinator/image/file_watch.h"

namespace tilewright {

// Most directories of a file that is read; libvips goes no further either.
inline constexpr int64_t kTiffDirectoriesMax = 100'000;

struct TiffPage {
  int64_t pages = 1;      // of the file, at least 1
  int64_t directory = 0;  // of the page, in the chain
  uint64_t offset = 0;    // of that directory in the file
};

// Looks for a page; 0 is the first. If all directories are reduced images or masks, the first one
// is the only page. What lies in SubIFDs is none. OUT_OF_RANGE, naming the count, if there are
// fewer pages; INVALID_ARGUMENT if the file is no TIFF; DATA_LOSS if the chain cannot be followed
// to its end; RESOURCE_EXHAUSTED over kTiffDirectoriesMax.
absl::StatusOr<TiffPage> FindTiffPage(const FileWatch& file, int64_t page);

// OUT_OF_RANGE, for a file with fewer pages.
absl::Status NoSuchPage(const FileWatch& file, int64_t page, int64_t pages);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_TIFF_PAGES_H_
