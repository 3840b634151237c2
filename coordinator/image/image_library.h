// The parts of libvips that reader and exporter share: ownership of its objects and its error text.
// Thread-safe, except that libvips keeps one error text for the whole process, so two threads that
// fail at once may share theirs.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_IMAGE_LIBRARY_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_IMAGE_LIBRARY_H_

#include <vips/vips.h>

#include <memory>
#include <string>

namespace tilewright {

struct GObjectUnref {
  void operator()(gpointer object) const { g_object_unref(object); }
};
template <typename T>
using VipsOwned = std::unique_ptr<T, GObjectUnref>;

// The first two lines of libvips' error text (the second is often the system's reason), which is
// then cleared; `otherwise` if it has none.
std::string TakeVipsError(const char* otherwise);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_IMAGE_LIBRARY_H_
