#include "coordinator/image/image_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <tiffio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/image/file_error.h"
#include "coordinator/image/image_library.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

// What libvips says of a PNG that has no resolution: 72 dpi in whole pixels per metre.
constexpr double kUnsaidPngPixelsPerMm = 2.834;

// Opens what can be an image; of anything else, says what it is. The descriptor is the caller's.
absl::StatusOr<int> OpenFile(const std::string& path) {
  // Non-blocking: opening a pipe would wait for its writer.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return FileError("opening", path, errno);
  struct stat file;
  const char* problem = nullptr;
  if (fstat(fd, &file) != 0) {
    problem = "its size cannot be found";
  } else if (S_ISDIR(file.st_mode)) {
    problem = "it is a folder; name an image file";
  } else if (!S_ISREG(file.st_mode)) {
    problem = "it is not a regular file; name an image file";
  } else if (file.st_size == 0) {
    problem = "the file is empty";
  }
  if (problem == nullptr) return fd;
  close(fd);
  return absl::InvalidArgumentError(absl::StrCat("opening ", path, ": ", problem));
}

bool IsTiledTiff(const std::string& path) {
  TIFF* const file = TIFFOpen(path.c_str(), "rm");
  if (file == nullptr) return false;
  const bool tiled = TIFFIsTiled(file) != 0;
  TIFFClose(file);
  return tiled;
}

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

// Grey, RGB and unnamed channels; anything else would be taken for colours that it does not hold.
absl::Status CheckChannels(VipsImage* image, const std::string& path) {
  const int channels = vips_image_get_bands(image);
  if (channels < 1 || channels > 4) {
    return absl::InvalidArgumentError(
        absl::StrCat("opening ", path, ": it has ", channels,
                     " channels; 1 (grey), 2 (grey, alpha), 3 (RGB) and 4 (RGB, alpha) can be "
                     "read"));
  }
  const VipsInterpretation colours = vips_image_get_interpretation(image);
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

ImageMetadata MetadataOf(VipsImage* image, const std::string& format) {
  ImageMetadata metadata;
  if (vips_image_get_typeof(image, VIPS_META_ICC_NAME) != 0) {
    const void* profile = nullptr;
    size_t bytes = 0;
    if (vips_image_get_blob(image, VIPS_META_ICC_NAME, &profile, &bytes) == 0) {
      const auto* first = static_cast<const std::byte*>(profile);
      metadata.icc_profile.assign(first, first + bytes);
    }
  }
  ReadResolution(image, format, &metadata);
  metadata.orientation = vips_image_get_orientation(image);
  return metadata;
}

// For each index of `wanted` its source index in [0, size), or -1; `used` becomes the range of the
// sources.
std::vector<int64_t> PadSources(Interval wanted, int64_t size, PadMode pad, Interval* used) {
  std::vector<int64_t> sources(static_cast<size_t>(wanted.length()));
  *used = {size, 0};
  for (size_t i = 0; i < sources.size(); ++i) {
    const int64_t index = wanted.begin + static_cast<int64_t>(i);
    sources[i] = index < size ? index : PadSource(index, size, pad);
    if (sources[i] < 0) continue;
    *used = {std::min(used->begin, sources[i]), std::max(used->end, sources[i] + 1)};
  }
  return sources;
}

// Tiled TIFF is decoded where it is read. Other formats can only be decoded in order: libvips does
// so at the first read, into memory, or into an unlinked temporary file if they decode to more than
// VIPS_DISC_THRESHOLD (100 MB).
class VipsReader : public ImageReader {
 public:
  VipsReader(std::string path, VipsOwned<VipsImage> image, ImageInfo info)
      : path_(std::move(path)), image_(std::move(image)), info_(std::move(info)) {}

  const ImageInfo& info() const override { return info_; }

  absl::Status Read(const Rect& rect, PadMode pad, absl::Span<std::byte> samples) override {
    const int64_t pixel_bytes = info_.channels * BytesPerSample(info_.sample);
    if (rect.empty() || rect.x < 0 || rect.y < 0 || rect.x >= info_.size.width ||
        rect.y >= info_.size.height ||
        rect.area() * pixel_bytes != static_cast<int64_t>(samples.size())) {
      return absl::InvalidArgumentError(absl::StrCat(
          "reading ", path_, ": ", samples.size(), " bytes for the pixels ", ToString(rect),
          " of an image of ", ToString(info_.size), " pixels of ", pixel_bytes, " bytes"));
    }
    TW_RETURN_IF_ERROR(DecodeOnce());

    Interval columns_used, rows_used;
    const std::vector<int64_t> columns =
        PadSources(rect.horizontal(), info_.size.width, pad, &columns_used);
    const std::vector<int64_t> rows =
        PadSources(rect.vertical(), info_.size.height, pad, &rows_used);

    // A region belongs to the thread that made it.
    const VipsOwned<VipsRegion> region(vips_region_new(image_.get()));
    const VipsRect area = {static_cast<int>(columns_used.begin), static_cast<int>(rows_used.begin),
                           static_cast<int>(columns_used.length()),
                           static_cast<int>(rows_used.length())};
    if (region == nullptr || vips_region_prepare(region.get(), &area) != 0) return Damaged();

    const auto pixel = static_cast<size_t>(pixel_bytes);
    const size_t inside =
        static_cast<size_t>(std::min(rect.right(), info_.size.width) - rect.x) * pixel;
    std::byte* out = samples.data();
    for (int64_t row : rows) {
      if (row < 0) {
        std::memset(out, 0, columns.size() * pixel);
        out += columns.size() * pixel;
        continue;
      }
      const auto* in = reinterpret_cast<const std::byte*>(
          VIPS_REGION_ADDR(region.get(), columns_used.begin, row));
      std::memcpy(out, in + static_cast<size_t>(rect.x - columns_used.begin) * pixel, inside);
      out += inside;
      for (size_t i = inside / pixel; i < columns.size(); ++i, out += pixel) {
        if (columns[i] < 0) {
          std::memset(out, 0, pixel);
        } else {
          std::memcpy(out, in + static_cast<size_t>(columns[i] - columns_used.begin) * pixel,
                      pixel);
        }
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Damaged() const {
    const std::string reason = TakeVipsError("no details");
    if (absl::StrContains(reason, std::strerror(ENOSPC))) {
      return absl::ResourceExhaustedError(
          absl::StrCat("reading ", path_, ": no room for its decoded pixels in TMPDIR (", reason,
                       "); make room there"));
    }
    return absl::DataLossError(absl::StrCat("reading ", path_, ": the ", info_.format,
                                            " file is truncated or damaged (", reason, ")"));
  }

  // The first region makes libvips decode what cannot be read in pieces; of threads that come at
  // once one does it, and a failure is remembered because libvips explains it only once.
  absl::Status DecodeOnce() {
    absl::MutexLock lock(&mutex_);
    if (!decoded_.has_value()) {
      const VipsOwned<VipsRegion> region(vips_region_new(image_.get()));
      const VipsRect first = {0, 0, 1, 1};
      const bool good = region != nullptr && vips_region_prepare(region.get(), &first) == 0;
      decoded_ = good ? absl::OkStatus() : Damaged();
    }
    return *decoded_;
  }

  const std::string path_;
  const VipsOwned<VipsImage> image_;
  const ImageInfo info_;

  absl::Mutex mutex_;
  std::optional<absl::Status> decoded_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<ImageReader>> ImageReader::Open(const std::string& path,
                                                               const ImageLimits& limits) {
  TW_ASSIGN_OR_RETURN(const int fd, OpenFile(path));
  // A source, not a file name: libvips reads "[...]" at the end of a name as options. It duplicates
  // the descriptor.
  const VipsOwned<VipsSource> source(vips_source_new_from_descriptor(fd));
  close(fd);
  if (source == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("opening ", path, ": ", TakeVipsError("no reason given")));
  }
  const char* const loader = vips_foreign_find_load_source(source.get());
  if (loader == nullptr) {
    vips_error_clear();
    return absl::InvalidArgumentError(
        absl::StrCat("opening ", path,
                     ": it is not an image that can be read; JPEG, PNG, TIFF, WebP, GIF and HEIF "
                     "can"));
  }
  ImageInfo info;
  info.format = FormatName(loader);
  // libjpeg fills what it cannot decode with grey and merely warns.
  const VipsFailOn fail_on = info.format == "jpeg" ? VIPS_FAIL_ON_WARNING : VIPS_FAIL_ON_ERROR;
  VipsOwned<VipsImage> image(vips_image_new_from_source(
      source.get(), "", "access", VIPS_ACCESS_RANDOM, "fail_on", fail_on, nullptr));
  if (image == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("opening ", path, ": the header of the ",
                                                   info.format, " file cannot be read (",
                                                   TakeVipsError("no details"), ")"));
  }

  info.size = {vips_image_get_width(image.get()), vips_image_get_height(image.get())};
  TW_RETURN_IF_ERROR(CheckChannels(image.get(), path));
  TW_ASSIGN_OR_RETURN(info.sample, SampleTypeOf(image.get(), path));
  info.channels = vips_image_get_bands(image.get());
  info.random_access = info.format == "tiff" && IsTiledTiff(path);
  info.has_alpha = info.channels == 2 || info.channels == 4;
  TW_RETURN_IF_ERROR(
      CheckLimits(info.size, info.channels * BytesPerSample(info.sample), limits, path));
  info.metadata = MetadataOf(image.get(), info.format);
  return std::make_unique<VipsReader>(path, std::move(image), std::move(info));
}

}  // namespace tilewright
