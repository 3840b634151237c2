#include "tests/cluster/picture.h"

#include <vips/vips.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "proto/wire/noise.h"

namespace tilewright {
namespace {

absl::Status VipsError(const std::string& path) {
  const absl::Status status =
      absl::InternalError(absl::StrCat(path, ": libvips: ", vips_error_buffer()));
  vips_error_clear();
  return status;
}

void StartVips() {
  static const int started = VIPS_INIT("tilewright-tests");
  (void)started;
}

VipsInterpretation InterpretationOf(const Picture& picture) {
  if (picture.channels < 3)
    return picture.bits == 8 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_GREY16;
  return picture.bits == 8 ? VIPS_INTERPRETATION_sRGB : VIPS_INTERPRETATION_RGB16;
}

// Takes the image; null is an error.
absl::StatusOr<Picture> PixelsOf(VipsImage* image, const std::string& path) {
  if (image == nullptr) return VipsError(path);
  Picture picture{vips_image_get_width(image),
                  vips_image_get_height(image),
                  vips_image_get_bands(image),
                  static_cast<int>(8 * vips_format_sizeof(vips_image_get_format(image))),
                  {}};
  size_t bytes = 0;
  void* samples = vips_image_write_to_memory(image, &bytes);
  g_object_unref(image);
  if (samples == nullptr) return VipsError(path);
  picture.samples.resize(bytes);
  std::memcpy(picture.samples.data(), samples, bytes);
  g_free(samples);
  return picture;
}

}  // namespace

Picture NoisePicture(int width, int height, int channels, int bits, uint64_t seed) {
  Picture picture{width, height, channels, bits, {}};
  picture.samples.resize(static_cast<size_t>(width) * height * channels * (bits / 8));
  FillNoise(seed, SampleType::kU8, absl::MakeSpan(picture.samples));
  return picture;
}

absl::Status WritePicture(const Picture& picture, const std::string& path) {
  StartVips();
  VipsImage* memory = vips_image_new_from_memory(
      picture.samples.data(), picture.samples.size(), picture.width, picture.height,
      picture.channels, picture.bits == 8 ? VIPS_FORMAT_UCHAR : VIPS_FORMAT_USHORT);
  if (memory == nullptr) return VipsError(path);
  VipsImage* image = nullptr;
  int failed = vips_copy(memory, &image, "interpretation", InterpretationOf(picture), nullptr);
  g_object_unref(memory);
  if (failed == 0) {
    failed = vips_image_write_to_file(image, path.c_str(), nullptr);
    g_object_unref(image);
  }
  return failed == 0 ? absl::OkStatus() : VipsError(path);
}

absl::StatusOr<Picture> ReadPicture(const std::string& path) {
  StartVips();
  // A file of an earlier render may have had the same name.
  vips_cache_set_max(0);
  return PixelsOf(vips_image_new_from_file(path.c_str(), nullptr), path);
}

absl::StatusOr<Picture> ReadPictureRect(const std::string& path, const PictureRect& rect) {
  StartVips();
  vips_cache_set_max(0);
  VipsImage* whole = vips_image_new_from_file(path.c_str(), nullptr);
  if (whole == nullptr) return VipsError(path);
  VipsImage* part = nullptr;
  const int failed = vips_crop(whole, &part, rect.x, rect.y, rect.width, rect.height, nullptr);
  g_object_unref(whole);
  return failed == 0 ? PixelsOf(part, path) : VipsError(path);
}

std::string Difference(const Picture& got, const Picture& want) {
  if (got.width != want.width || got.height != want.height || got.channels != want.channels ||
      got.bits != want.bits) {
    return absl::StrCat("got ", got.width, "x", got.height, "x", got.channels, " of ", got.bits,
                        " bits, want ", want.width, "x", want.height, "x", want.channels, " of ",
                        want.bits);
  }
  const size_t size = want.bits / 8;
  size_t different = 0;
  size_t first = 0;
  for (size_t at = 0; at < want.samples.size(); at += size) {
    if (std::memcmp(&got.samples[at], &want.samples[at], size) == 0) continue;
    if (different++ == 0) first = at / size;
  }
  if (different == 0) return "equal";
  const size_t pixel = first / want.channels;
  return absl::StrCat(different, " of ", want.samples.size() / size,
                      " samples differ, first channel ", first % want.channels, " of pixel (",
                      pixel % want.width, ", ", pixel / want.width, ")");
}

}  // namespace tilewright
