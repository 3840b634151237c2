#include "coordinator/image/png.h"

#include <cassert>

#include "absl/strings/str_cat.h"
#include "coordinator/image/image_library.h"

namespace tilewright {
namespace {

constexpr int kRgba = 4;

absl::Status Failed() {
  return absl::InternalError(absl::StrCat("encoding a PNG: ", TakeVipsError("no reason given")));
}

}  // namespace

absl::StatusOr<std::string> EncodePng(Size size, absl::Span<const std::byte> rgba) {
  assert(static_cast<int64_t>(rgba.size()) == size.area() * kRgba);
  const VipsOwned<VipsImage> image(
      vips_image_new_from_memory(rgba.data(), rgba.size(), static_cast<int>(size.width),
                                 static_cast<int>(size.height), kRgba, VIPS_FORMAT_UCHAR));
  if (image == nullptr) return Failed();
  image->Type = VIPS_INTERPRETATION_sRGB;
  void* bytes = nullptr;
  size_t count = 0;
  if (vips_pngsave_buffer(image.get(), &bytes, &count, nullptr) != 0) return Failed();
  std::string png(static_cast<const char*>(bytes), count);
  g_free(bytes);
  return png;
}

}  // namespace tilewright
