// A TIFF that libtiff writes through callbacks, and libtiff's words about what went wrong. Not
// thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_TIFF_STREAM_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_TIFF_STREAM_H_

#include <tiffio.h>

#include <cstdint>
#include <string>

#include "coordinator/image/output_format.h"

namespace tilewright {

class TiffStream {
 public:
  TiffStream() = default;
  TiffStream(const TiffStream&) = delete;
  TiffStream& operator=(const TiffStream&) = delete;
  virtual ~TiffStream() = default;

 protected:
  // Opens for writing, which writes a header; `name` and `mode` as for TIFFOpen. False:
  // complaint().
  bool Open(const std::string& name, const char* mode);
  // Writes what is pending. The destructor of the derived class calls it at the latest.
  void Close();

  TIFF* tiff() const { return tiff_; }
  // libtiff's first complaint; empty: none.
  const std::string& complaint() const { return complaint_; }

  virtual int64_t ReadAt(void* data, int64_t size, int64_t offset) = 0;
  // False: nothing is known about what was written.
  virtual bool WriteAt(const void* data, int64_t size, int64_t offset) = 0;
  // Where libtiff appends.
  virtual int64_t End() = 0;

 private:
  struct Callbacks;

  TIFF* tiff_ = nullptr;
  int64_t position_ = 0;
  std::string complaint_;
};

// PHOTOMETRIC_MINISBLACK, _RGB or _YCBCR.
int PhotometricOf(const CanvasFormat& format, const TiffEncoding& encoding);

// Sets the tags that say what the samples of an image in tiles are. False if libtiff refuses one.
bool DescribeSamples(TIFF* tiff, const CanvasFormat& format, const TiffEncoding& encoding);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_TIFF_STREAM_H_
