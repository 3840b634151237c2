#include "coordinator/image/tiff_handle.h"

#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"

namespace tilewright {

int TiffHandle::Complain(TIFF* /*tiff*/, void* self, const char* /*module*/, const char* format,
                         va_list arguments) {
  char text[256];
  std::vsnprintf(text, sizeof(text), format, arguments);
  std::string& complaint = static_cast<TiffHandle*>(self)->complaint_;
  if (complaint.empty()) complaint = text;
  return 1;
}

int TiffHandle::Ignore(TIFF* /*tiff*/, void* /*self*/, const char* /*module*/,
                       const char* /*format*/, va_list /*arguments*/) {
  return 1;
}

absl::StatusOr<std::unique_ptr<TiffHandle>> TiffHandle::Open(const FileWatch& file) {
  TW_ASSIGN_OR_RETURN(const int fd, file.Reopen());
  std::unique_ptr<TiffHandle> handle(new TiffHandle());
  TIFFOpenOptions* const options = TIFFOpenOptionsAlloc();
  // Handlers of its own: libvips catches everything that reaches libtiff's.
  TIFFOpenOptionsSetErrorHandlerExtR(options, &TiffHandle::Complain, handle.get());
  TIFFOpenOptionsSetWarningHandlerExtR(options, &TiffHandle::Ignore, handle.get());
  // Not mapped: a file that shrinks under a mapping ends the process. The places of tiles and
  // strips are read when they are asked for: who looks at many directories does not need them.
  handle->tiff_ = TIFFFdOpenExt(fd, file.path().c_str(), "rmD", options);
  TIFFOpenOptionsFree(options);
  if (handle->tiff_ != nullptr) return handle;
  close(fd);
  return absl::InvalidArgumentError(
      absl::StrCat("opening ", file.path(), ": the header of the tiff file cannot be read (",
                   handle->complaint().empty() ? "no details" : handle->complaint(), ")"));
}

TiffHandle::~TiffHandle() {
  if (tiff_ != nullptr) TIFFClose(tiff_);
}

}  // namespace tilewright
