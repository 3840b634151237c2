// Body of the export child.

#include <signal.h>
#include <sys/prctl.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "coordinator/image/image_library.h"
#include "coordinator/image/image_reader.h"
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

absl::Status Export(const std::string& kind, const std::string& from, const std::string& to,
                    int quality) {
  TW_RETURN_IF_ERROR(StartImageLibrary("tilewright-export"));
  // Sources and targets: libvips reads "[...]" at the end of a file name as options.
  const VipsOwned<VipsSource> source(vips_source_new_from_file(from.c_str()));
  if (source == nullptr) return Failed(absl::StrCat("opening ", from));
  // Random access: a rotation does not read from top to bottom, and the tiled TIFF allows it.
  VipsImage* loaded = nullptr;
  if (vips_tiffload_source(source.get(), &loaded, "access", VIPS_ACCESS_RANDOM, "fail_on",
                           VIPS_FAIL_ON_ERROR, nullptr) != 0) {
    return Failed(absl::StrCat("opening ", from));
  }
  const VipsOwned<VipsImage> image(loaded);
  VipsImage* turned = nullptr;
  if (vips_autorot(image.get(), &turned, nullptr) != 0) return Failed("turning the image upright");
  const VipsOwned<VipsImage> upright(turned);
  if (vips_image_get_typeof(upright.get(), VIPS_META_RESOLUTION_UNIT) == 0) {
    // autorot gave an image of our own.
    upright->Xres = kUsualPixelsPerMm;
    upright->Yres = kUsualPixelsPerMm;
  }

  const VipsOwned<VipsTarget> target(vips_target_new_to_file(to.c_str()));
  if (target == nullptr) return Failed(absl::StrCat("creating ", to));
  int failed = -1;
  if (kind == "png") {
    failed = vips_pngsave_target(upright.get(), target.get(), "compression", kPngCompression,
                                 "filter", VIPS_FOREIGN_PNG_FILTER_ALL, nullptr);
  } else if (kind == "jpeg") {
    failed = vips_jpegsave_target(upright.get(), target.get(), "Q", quality, "optimize_coding",
                                  TRUE, nullptr);
  } else if (kind == "webp") {
    failed = vips_webpsave_target(upright.get(), target.get(), "Q", quality, nullptr);
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown export format '", kind, "'; png, jpeg and webp can be written"));
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
  int quality = 0;
  absl::Status status = absl::InvalidArgumentError("an export child takes KIND FROM TO QUALITY");
  if (arguments.size() == 4 && absl::SimpleAtoi(arguments[3], &quality)) {
    status = Export(arguments[0], arguments[1], arguments[2], quality);
  }
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace tilewright
