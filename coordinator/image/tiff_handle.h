// A TIFF that libtiff reads through a descriptor of its own, and libtiff's words about what went
// wrong. Not thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_TIFF_HANDLE_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_TIFF_HANDLE_H_

#include <tiffio.h>

#include <cstdarg>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/image/file_watch.h"

namespace tilewright {

class TiffHandle {
 public:
  // Stands at the first directory. INVALID_ARGUMENT if libtiff cannot read that.
  static absl::StatusOr<std::unique_ptr<TiffHandle>> Open(const FileWatch& file);
  ~TiffHandle();
  TiffHandle(const TiffHandle&) = delete;
  TiffHandle& operator=(const TiffHandle&) = delete;

  TIFF* get() const { return tiff_; }
  // Of the directory at which it stands, or the tag's default.
  template <typename T>
  T Field(uint32_t tag) const {
    T value = 0;
    TIFFGetFieldDefaulted(tiff_, tag, &value);
    return value;
  }

  // libtiff's first complaint since the last Forget; empty: none.
  const std::string& complaint() const { return complaint_; }
  void Forget() { complaint_.clear(); }

 private:
  TiffHandle() = default;
  static int Complain(TIFF* tiff, void* self, const char* module, const char* format,
                      va_list arguments);
  static int Ignore(TIFF* tiff, void* self, const char* module, const char* format,
                    va_list arguments);

  TIFF* tiff_ = nullptr;  // owns the descriptor
  std::string complaint_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_TIFF_HANDLE_H_
