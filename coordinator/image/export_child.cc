// Body of the export child.

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "coordinator/image/export_request.h"
#include "coordinator/image/file_error.h"
#include "coordinator/image/file_io.h"
#include "coordinator/image/image_library.h"
#include "coordinator/image/image_reader.h"
#include "coordinator/image/npy_header.h"
#include "coordinator/image/output_file.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

// With filters, level 3 packs a photograph as well as level 6 in 0.4 of the time, and better than
// level 6 without.
constexpr int kPngCompression = 3;
// For an image that says nothing about its resolution: what viewers assume, rather than
// libvips' 25.4.
constexpr double kUsualPixelsPerMm = 72 / 25.4;

absl::Status Failed(const std::string& doing) {
  // The system's reason is the useful one when there is one, but only libvips' text tells whether
  // there was.
  return absl::InternalError(absl::StrCat(doing, ": ", TakeVipsError("no reason given")));
}

using OwnedImage = VipsOwned<VipsImage>;

// Random access: a rotation does not read from top to bottom, and the tiled TIFF allows it.
absl::StatusOr<OwnedImage> Open(const std::string& path) {
  // Sources and targets: libvips reads "[...]" at the end of a file name as options.
  const VipsOwned<VipsSource> source(vips_source_new_from_file(path.c_str()));
  VipsImage* image = nullptr;
  if (source == nullptr || vips_tiffload_source(source.get(), &image, "access", VIPS_ACCESS_RANDOM,
                                                "fail_on", VIPS_FAIL_ON_ERROR, nullptr) != 0) {
    return Failed(absl::StrCat("opening ", path));
  }
  return OwnedImage(image);
}

// Bicubic. vips_resize would move the picture by half a pixel of the output (libvips 8.14).
absl::StatusOr<OwnedImage> Enlarge(const VipsImage& image, Size size) {
  const double x = static_cast<double>(size.width) / image.Xsize;
  const double y = static_cast<double>(size.height) / image.Ysize;
  const VipsOwned<VipsInterpolate> bicubic(vips_interpolate_new("bicubic"));
  VipsArrayInt* const area =
      vips_array_int_newv(4, 0, 0, static_cast<int>(size.width), static_cast<int>(size.height));
  const absl::Cleanup free_area = [area] { vips_area_unref(VIPS_AREA(area)); };
  VipsImage* enlarged = nullptr;
  // Centres of pixels stay where they are in the picture.
  if (bicubic == nullptr ||
      vips_affine(const_cast<VipsImage*>(&image), &enlarged, x, 0.0, 0.0, y, "interpolate",
                  bicubic.get(), "idx", 0.5 - 0.5 / x, "idy", 0.5 - 0.5 / y, "extend",
                  VIPS_EXTEND_COPY, "oarea", area, "premultiplied", TRUE, nullptr) != 0) {
    return Failed("enlarging");
  }
  return OwnedImage(enlarged);
}

// Colour counts as much as it is opaque, and is rounded once, at the end.
absl::StatusOr<OwnedImage> Resample(const VipsImage& image, Size size) {
  auto* in = const_cast<VipsImage*>(&image);  // libvips takes no const images, and changes none
  const double x = static_cast<double>(size.width) / image.Xsize;
  const double y = static_cast<double>(size.height) / image.Ysize;
  const bool alpha = vips_image_hasalpha(in) != 0;
  const double opaque = image.BandFmt == VIPS_FORMAT_USHORT  ? 65535
                        : image.BandFmt == VIPS_FORMAT_UCHAR ? 255
                                                             : 1;
  VipsImage* step = nullptr;
  if (alpha ? vips_premultiply(in, &step, "max_alpha", opaque, nullptr) != 0
            : vips_cast(in, &step, VIPS_FORMAT_FLOAT, nullptr) != 0) {
    return Failed("preparing the samples");
  }
  OwnedImage current(step);
  if (vips_resize(current.get(), &step, std::min(x, 1.0), "vscale", std::min(y, 1.0), nullptr) !=
      0) {
    return Failed("resampling");
  }
  current.reset(step);
  if (x > 1 || y > 1) {
    TW_ASSIGN_OR_RETURN(current, Enlarge(*current, size));
  }
  if (current->Xsize != size.width || current->Ysize != size.height) {
    return absl::InternalError(absl::StrCat("resampling gave ", current->Xsize, "x", current->Ysize,
                                            " pixels, not ", ToString(size)));
  }
  if (alpha) {
    if (vips_unpremultiply(current.get(), &step, "max_alpha", opaque, nullptr) != 0) {
      return Failed("separating alpha");
    }
    current.reset(step);
  }
  if (image.BandFmt == VIPS_FORMAT_FLOAT) return current;
  if (vips_round(current.get(), &step, VIPS_OPERATION_ROUND_RINT, nullptr) != 0) {
    return Failed("rounding");
  }
  current.reset(step);
  if (vips_cast(current.get(), &step, image.BandFmt, nullptr) != 0) return Failed("rounding");
  return OwnedImage(step);
}

absl::StatusOr<OwnedImage> Upright(const VipsImage& image) {
  VipsImage* turned = nullptr;
  if (vips_autorot(const_cast<VipsImage*>(&image), &turned, nullptr) != 0) {
    return Failed("turning the image upright");
  }
  OwnedImage upright(turned);
  if (vips_image_get_typeof(upright.get(), VIPS_META_RESOLUTION_UNIT) == 0) {
    // autorot gave an image of our own.
    upright->Xres = kUsualPixelsPerMm;
    upright->Yres = kUsualPixelsPerMm;
  }
  return upright;
}

VipsForeignTiffCompression VipsCompressionOf(Compression compression) {
  switch (compression) {
    case Compression::kDeflate:
      return VIPS_FOREIGN_TIFF_COMPRESSION_DEFLATE;
    case Compression::kZstd:
      return VIPS_FOREIGN_TIFF_COMPRESSION_ZSTD;
    case Compression::kLzw:
      return VIPS_FOREIGN_TIFF_COMPRESSION_LZW;
    case Compression::kJpeg:
      return VIPS_FOREIGN_TIFF_COMPRESSION_JPEG;
    case Compression::kNone:
      break;
  }
  return VIPS_FOREIGN_TIFF_COMPRESSION_NONE;
}

SampleType SampleTypeOfImage(const VipsImage& image) {
  return image.BandFmt == VIPS_FORMAT_UCHAR    ? SampleType::kU8
         : image.BandFmt == VIPS_FORMAT_USHORT ? SampleType::kU16
                                               : SampleType::kF32;
}

int SaveTiff(VipsImage* image, VipsTarget* target, const ExportRequest& request) {
  const TiffEncoding& encoding = request.encoding;
  const int side = static_cast<int>(encoding.tile_side);
  return vips_tiffsave_target(
      image, target, "bigtiff", TRUE, "tile", TRUE, "tile_width", side, "tile_height", side,
      "compression", VipsCompressionOf(encoding.compression), "level", encoding.level, "Q",
      encoding.jpeg_quality, "predictor",
      UsesPredictor(encoding, SampleTypeOfImage(*image)) ? VIPS_FOREIGN_TIFF_PREDICTOR_HORIZONTAL
                                                         : VIPS_FOREIGN_TIFF_PREDICTOR_NONE,
      "pyramid", request.overviews ? TRUE : FALSE, nullptr);
}

absl::Status SaveNpy(VipsImage* image, const std::string& to) {
  const std::string header =
      WriteNpyHeader({image->Xsize, image->Ysize}, image->Bands, SampleTypeOfImage(*image));
  const int fd = open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return FileError("creating", to, errno);
  const absl::Cleanup close_file = [fd] { close(fd); };
  const auto* const bytes = reinterpret_cast<const std::byte*>(header.data());
  const int error = WriteAll(fd, absl::MakeConstSpan(bytes, header.size()), 0);
  if (error != 0) return FileError("writing", to, error);
  // libvips writes where the file stands.
  if (lseek(fd, static_cast<off_t>(header.size()), SEEK_SET) < 0) {
    return FileError("writing", to, errno);
  }
  return vips_rawsave_fd(image, fd, nullptr) == 0 ? absl::OkStatus()
                                                  : Failed(absl::StrCat("writing ", to));
}

// Of all that the image carries, its tiles keep the colour profile alone.
void KeepProfileOnly(VipsImage* image) {
  for (const char* name : {VIPS_META_EXIF_NAME, VIPS_META_XMP_NAME, VIPS_META_IPTC_NAME}) {
    vips_image_remove(image, name);
  }
}

absl::Status Export(const std::string& from, const std::string& to, const ExportRequest& request) {
  TW_RETURN_IF_ERROR(StartImageLibrary("tilewright-export"));
  TW_ASSIGN_OR_RETURN(OwnedImage image, Open(from));
  if (image->Xsize != request.size.width || image->Ysize != request.size.height) {
    TW_ASSIGN_OR_RETURN(image, Resample(*image, request.size));
  }
  if (request.kind != OutputKind::kTiff) {
    TW_ASSIGN_OR_RETURN(image, Upright(*image));
  }
  if (request.kind == OutputKind::kNpy) return SaveNpy(image.get(), to);
  const int quality = request.encoding.jpeg_quality;
  const bool photographic = image->BandFmt == VIPS_FORMAT_UCHAR &&
                            vips_image_hasalpha(image.get()) == 0 && !request.labels;
  const std::string suffix = photographic ? absl::StrCat(".jpg[Q=", quality, "]") : ".png";
  const VipsRegionShrink shrink =
      request.labels ? VIPS_REGION_SHRINK_NEAREST : VIPS_REGION_SHRINK_MEAN;
  if (request.kind == OutputKind::kDzi) {
    KeepProfileOnly(image.get());
    return vips_dzsave(image.get(), to.c_str(), "suffix", suffix.c_str(), "no_strip", TRUE,
                       "region_shrink", shrink, nullptr) == 0
               ? absl::OkStatus()
               : Failed(absl::StrCat("writing ", to));
  }
  const VipsOwned<VipsTarget> target(vips_target_new_to_file(to.c_str()));
  if (target == nullptr) return Failed(absl::StrCat("creating ", to));
  int failed = -1;
  switch (request.kind) {
    case OutputKind::kTiff:
      failed = SaveTiff(image.get(), target.get(), request);
      break;
    case OutputKind::kPng:
      failed = vips_pngsave_target(image.get(), target.get(), "compression", kPngCompression,
                                   "filter", VIPS_FOREIGN_PNG_FILTER_ALL, nullptr);
      break;
    case OutputKind::kJpeg:
      failed = vips_jpegsave_target(image.get(), target.get(), "Q", quality, "optimize_coding",
                                    TRUE, nullptr);
      break;
    case OutputKind::kWebp:
      failed = vips_webpsave_target(image.get(), target.get(), "Q", quality, nullptr);
      break;
    case OutputKind::kSzi:
      KeepProfileOnly(image.get());
      failed = vips_dzsave_target(
          image.get(), target.get(), "container", VIPS_FOREIGN_DZ_CONTAINER_SZI, "basename",
          "image", "suffix", suffix.c_str(), "no_strip", TRUE, "region_shrink", shrink, nullptr);
      break;
    case OutputKind::kDzi:
    case OutputKind::kNpy:
      break;
  }
  if (failed != 0) return Failed(absl::StrCat("writing ", to));
  return absl::OkStatus();
}

}  // namespace

int RunExportChild(absl::Span<char* const> arguments) {
  // An export whose coordinator is gone has no reader.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // A full disk or a size limit is an error to report, not a signal to die of.
  signal(SIGXFSZ, SIG_IGN);
  absl::Status status = absl::InvalidArgumentError("an export child takes FROM TO and an export");
  if (arguments.size() > 2) {
    const absl::StatusOr<ExportRequest> request = ParseExportWords(arguments.subspan(2));
    status = request.ok() ? Export(arguments[0], arguments[1], *request) : request.status();
  }
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace tilewright
