#include "coordinator/image/image_header.h"

#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "coordinator/image/file_error.h"
#include "coordinator/image/tiff_pages.h"
#include "proto/base/status_macros.h"
#include "proto/blend/channel_count.h"

namespace tilewright {
namespace {

// What libvips says of a PNG that has no resolution: 72 dpi in whole pixels per metre.
constexpr double kUnsaidPngPixelsPerMm = 2.834;
// Of formats whose loader would map the file: one that shrinks under a mapping ends the process.
constexpr int64_t kMappedFileBytesMax = int64_t{1} << 30;

// "VipsForeignLoadJpegSource" -> "jpeg".
std::string FormatName(absl::string_view loader) {
  absl::ConsumePrefix(&loader, "VipsForeignLoad");
  absl::ConsumeSuffix(&loader, "Source");
  return absl::AsciiStrToLower(loader);
}

absl::StatusOr<SampleType> SampleTypeOf(VipsImage* image, const std::string& path) {
  const VipsBandFormat format = vips_image_get_format(image);
  switch (format) {
    case VIPS_FORMAT_UCHAR:
      return SampleType::kU8;
    case VIPS_FORMAT_USHORT:
      return SampleType::kU16;
    case VIPS_FORMAT_FLOAT:
      return SampleType::kF32;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("opening ", path, ": its samples are of type '",
                       vips_enum_nick(VIPS_TYPE_BAND_FORMAT, format),
                       "'; unsigned 8 or 16 bit integers and 32 bit floats can be read"));
  }
}

// Whether the channels are said to be no colours: a TIFF whose every channel is "min is black".
bool IsArray(VipsImage* image) {
  if (vips_image_get_bands(image) < 4) return false;  // 2 are grey and alpha, 3 unnamed ones RGB
  const VipsInterpretation colours = vips_image_get_interpretation(image);
  return colours == VIPS_INTERPRETATION_MULTIBAND || colours == VIPS_INTERPRETATION_B_W ||
         colours == VIPS_INTERPRETATION_GREY16;
}

// Grey, RGB and arrays; anything else would be taken for colours that it does not hold.
absl::Status CheckChannels(VipsImage* image, const std::string& path) {
  const int channels = vips_image_get_bands(image);
  const VipsInterpretation colours = vips_image_get_interpretation(image);
  const int channels_max = IsArray(image) ? kChannelsMax : 4;
  if (channels < 1 || channels > channels_max) {
    return absl::InvalidArgumentError(absl::StrCat(
        "opening ", path, ": it has ", channels,
        " channels; 1 (grey), 2 (grey, alpha), 3 (RGB) and 4 (RGB, alpha) can be read, and TIFF "
        "arrays of up to ",
        kChannelsMax));
  }
  switch (colours) {
    case VIPS_INTERPRETATION_MULTIBAND:
    case VIPS_INTERPRETATION_B_W:
    case VIPS_INTERPRETATION_RGB:
    case VIPS_INTERPRETATION_sRGB:
    case VIPS_INTERPRETATION_scRGB:
    case VIPS_INTERPRETATION_GREY16:
    case VIPS_INTERPRETATION_RGB16:
      return absl::OkStatus();
    default:
      return absl::InvalidArgumentError(absl::StrCat(
          "opening ", path, ": its colours are '",
          vips_enum_nick(VIPS_TYPE_INTERPRETATION, colours), "'; convert it to RGB or grey first"));
  }
}

// The value of a field like "299999/1000 (299.999, Rational, 1 components, 8 bytes)", or 0.
double ExifRational(VipsImage* image, const char* field) {
  const char* text = nullptr;
  if (vips_image_get_typeof(image, field) == 0 || vips_image_get_string(image, field, &text) != 0) {
    return 0;
  }
  const std::vector<std::string> parts = absl::StrSplit(text, absl::ByAnyChar("/ "));
  double numerator = 0, denominator = 0;
  const bool good = parts.size() >= 2 && absl::SimpleAtod(parts[0], &numerator) &&
                    absl::SimpleAtod(parts[1], &denominator) && denominator > 0;
  return good ? numerator / denominator : 0;
}

void ReadResolution(VipsImage* image, const std::string& format, ImageMetadata* metadata) {
  double x = vips_image_get_xres(image);
  double y = vips_image_get_yres(image);
  const char* unit = "";
  // libvips always has a resolution; a unit only where the file has one, and never of PNG, which
  // has but one.
  const bool has_unit = vips_image_get_typeof(image, VIPS_META_RESOLUTION_UNIT) != 0 &&
                        vips_image_get_string(image, VIPS_META_RESOLUTION_UNIT, &unit) == 0;
  if (!has_unit &&
      (format != "png" || (x == kUnsaidPngPixelsPerMm && y == kUnsaidPngPixelsPerMm))) {
    return;
  }
  // Of a WebP it leaves the resolution where it is, in the EXIF data.
  const double exif_x = ExifRational(image, "exif-ifd0-XResolution");
  const double exif_y = ExifRational(image, "exif-ifd0-YResolution");
  if (format == "webp" && exif_x > 0 && exif_y > 0) {
    const double mm = absl::string_view(unit) == "cm" ? 10.0 : 25.4;
    x = exif_x / mm;
    y = exif_y / mm;
  }
  if (x > 0 && y > 0) {
    metadata->x_pixels_per_mm = x;
    metadata->y_pixels_per_mm = y;
  }
}

// Empty if the image has no such field.
std::vector<std::byte> BlobOf(VipsImage* image, const char* field) {
  const void* data = nullptr;
  size_t bytes = 0;
  if (vips_image_get_typeof(image, field) == 0 ||
      vips_image_get_blob(image, field, &data, &bytes) != 0) {
    return {};
  }
  const auto* first = static_cast<const std::byte*>(data);
  return {first, first + bytes};
}

ImageMetadata MetadataOf(VipsImage* image, const std::string& format) {
  ImageMetadata metadata;
  metadata.icc_profile = BlobOf(image, VIPS_META_ICC_NAME);
  metadata.xmp = BlobOf(image, VIPS_META_XMP_NAME);
  ReadResolution(image, format, &metadata);
  metadata.orientation = vips_image_get_orientation(image);
  return metadata;
}

// Turns CMYK into sRGB by the file's own profile, or a usual one if it has none.
absl::StatusOr<VipsOwned<VipsImage>> ToRgb(VipsOwned<VipsImage> image, const std::string& path) {
  if (vips_image_get_interpretation(image.get()) != VIPS_INTERPRETATION_CMYK) return image;
  const int depth = vips_image_get_format(image.get()) == VIPS_FORMAT_USHORT ? 16 : 8;
  VipsImage* rgb = nullptr;
  if (vips_icc_transform(image.get(), &rgb, "srgb", "embedded", TRUE, "input_profile", "cmyk",
                         "depth", depth, nullptr) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("opening ", path, ": its CMYK colours cannot be converted to RGB (",
                     TakeVipsError("no details"), "); convert it first"));
  }
  return VipsOwned<VipsImage>(rgb);
}

bool MapsItsFile(const std::string& format) { return format == "webp" || format == "nsgif"; }

// Of the formats that libvips can decode in order.
bool NeedsWholeImage(VipsImage* image, const std::string& format) {
  if (format != "png" && format != "jpeg" && format != "tiff") return true;
  int interlaced = 0;
  return vips_image_get_typeof(image, "interlaced") != 0 &&
         vips_image_get_int(image, "interlaced", &interlaced) == 0 && interlaced != 0;
}

// All of the file, as a source.
absl::StatusOr<VipsOwned<VipsSource>> LoadFile(const FileWatch& file) {
  if (file.bytes() > kMappedFileBytesMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("opening ", file.path(), ": ", file.bytes(), " bytes; of this format at most ",
                     kMappedFileBytesMax, " can be read: convert it to a tiled TIFF"));
  }
  const auto size = static_cast<size_t>(file.bytes());
  void* const bytes = g_malloc(size);
  VipsBlob* const blob = vips_blob_new(
      [](void* data, void*) {
        g_free(data);
        return 0;
      },
      bytes, size);
  const absl::Cleanup unref = [blob] { vips_area_unref(VIPS_AREA(blob)); };
  size_t done = 0;
  while (done < size) {
    const ssize_t n =
        pread(file.fd(), static_cast<char*>(bytes) + done, size - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FileError("reading", file.path(), errno);
    if (n == 0) {
      return absl::DataLossError(absl::StrCat("reading ", file.path(), ": it became shorter"));
    }
    done += static_cast<size_t>(n);
  }
  return VipsOwned<VipsSource>(vips_source_new_from_blob(blob));
}

}  // namespace

absl::Status CheckLimits(Size size, int64_t pixel_bytes, const ImageLimits& limits,
                         const std::string& path) {
  if (size.width > limits.side_max || size.height > limits.side_max) {
    return absl::ResourceExhaustedError(absl::StrCat("opening ", path, ": ", ToString(size),
                                                     " pixels; the limit is ", limits.side_max,
                                                     " pixels a side"));
  }
  // Both sides are below 2^31, so their product fits.
  if (size.area() > limits.decoded_bytes_max / pixel_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("opening ", path, ": ", ToString(size), " pixels of ", pixel_bytes,
                     " bytes; the limit is ", limits.decoded_bytes_max, " decoded bytes"));
  }
  return absl::OkStatus();
}

absl::StatusOr<ImageHeader> ReadHeader(const FileWatch& file, const ImageLimits& limits,
                                       int64_t page) {
  const std::string& path = file.path();
  // A source, not a file name: libvips reads "[...]" at the end of a name as options. It duplicates
  // the descriptor.
  VipsOwned<VipsSource> source(vips_source_new_from_descriptor(file.fd()));
  if (source == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("opening ", path, ": ", TakeVipsError("no reason given")));
  }
  const char* const loader = vips_foreign_find_load_source(source.get());
  if (loader == nullptr) {
    vips_error_clear();
    return absl::InvalidArgumentError(
        absl::StrCat("opening ", path,
                     ": it is not an image that can be read; JPEG, PNG, TIFF, WebP, GIF, HEIF and "
                     ".npy can"));
  }
  ImageHeader header;
  ImageInfo& info = header.info;
  info.format = FormatName(loader);
  info.file_bytes = file.bytes();
  std::string options;
  if (info.format == "tiff") {
    TW_ASSIGN_OR_RETURN(const TiffPage found, FindTiffPage(file, page));
    info.pages = found.pages;
    header.tiff_directory = found.offset;
    options = absl::StrCat("page=", found.directory);
  } else if (page > 0) {
    return NoSuchPage(file, page, info.pages);
  }
  if (MapsItsFile(info.format)) {
    TW_ASSIGN_OR_RETURN(source, LoadFile(file));
  }
  // libjpeg fills what it cannot decode with grey and merely warns.
  const VipsFailOn fail_on = info.format == "jpeg" ? VIPS_FAIL_ON_WARNING : VIPS_FAIL_ON_ERROR;
  header.image.reset(vips_image_new_from_source(source.get(), options.c_str(), "access",
                                                VIPS_ACCESS_SEQUENTIAL, "fail_on", fail_on,
                                                nullptr));
  if (header.image == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("opening ", path, ": the header of the ",
                                                   info.format, " file cannot be read (",
                                                   TakeVipsError("no details"), ")"));
  }
  info.size = {vips_image_get_width(header.image.get()), vips_image_get_height(header.image.get())};
  // Before anything is done with its pixels; a conversion only makes them smaller.
  TW_RETURN_IF_ERROR(CheckLimits(
      info.size, static_cast<int64_t>(VIPS_IMAGE_SIZEOF_PEL(header.image.get())), limits, path));
  info.access = NeedsWholeImage(header.image.get(), info.format) ? ImageAccess::kWhole
                                                                 : ImageAccess::kTopDown;
  TW_ASSIGN_OR_RETURN(header.image, ToRgb(std::move(header.image), path));
  TW_RETURN_IF_ERROR(CheckChannels(header.image.get(), path));
  TW_ASSIGN_OR_RETURN(info.sample, SampleTypeOf(header.image.get(), path));
  info.channels = vips_image_get_bands(header.image.get());
  info.array = IsArray(header.image.get());
  info.has_alpha = !info.array && (info.channels == 2 || info.channels == 4);
  info.metadata = MetadataOf(header.image.get(), info.format);
  return header;
}

}  // namespace tilewright
