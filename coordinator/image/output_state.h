// How far an output file was written: with the bytes that lie in it and in its scratch, enough to
// go on later. A value type; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_OUTPUT_STATE_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_OUTPUT_STATE_H_

#include <cstdint>
#include <vector>

#include "coordinator/image/pyramid.h"
#include "coordinator/image/tiff_canvas.h"

namespace tilewright {

struct OutputState {
  TiffState tiff;
  std::vector<uint64_t> block_hashes;  // of the image, see PixelHash::blocks
  int64_t blocks_copied = 0;           // of them, see OutputFile::blocks_copied
  std::vector<SavedQuarter> quarters;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_OUTPUT_STATE_H_
