// What the formats of output files are called and what they can hold.

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "coordinator/image/output_file.h"

namespace tilewright {
namespace {

struct FormatLimits {
  const char* name;
  int64_t side_max;  // pixels
  bool u16;
  bool floating;
  bool alpha;
};

FormatLimits LimitsOf(OutputKind kind) {
  switch (kind) {
    case OutputKind::kPng:
      return {"PNG", 1'000'000, true, false, true};
    case OutputKind::kJpeg:
      return {"JPEG", 65'500, false, false, false};
    case OutputKind::kWebp:
      return {"WebP", 16'383, false, false, true};
    case OutputKind::kTiff:
      break;
  }
  // TIFF itself ends at 2^32; libvips, which everyone reads it with, at 10,000,000.
  return {"TIFF", 10'000'000, true, true, true};
}

}  // namespace

absl::StatusOr<Compression> ParseCompression(const std::string& name) {
  if (name == "none") return Compression::kNone;
  if (name == "deflate") return Compression::kDeflate;
  if (name == "zstd") return Compression::kZstd;
  if (name == "lzw") return Compression::kLzw;
  return absl::InvalidArgumentError(
      absl::StrCat("unknown compression '", name, "'; choose none, deflate, zstd or lzw"));
}

absl::StatusOr<OutputKind> OutputKindOf(const std::string& path) {
  const std::string name = absl::AsciiStrToLower(path);
  if (absl::EndsWith(name, ".tif") || absl::EndsWith(name, ".tiff")) return OutputKind::kTiff;
  if (absl::EndsWith(name, ".png")) return OutputKind::kPng;
  if (absl::EndsWith(name, ".jpg") || absl::EndsWith(name, ".jpeg")) return OutputKind::kJpeg;
  if (absl::EndsWith(name, ".webp")) return OutputKind::kWebp;
  return absl::InvalidArgumentError(
      absl::StrCat("output ", path,
                   ": its extension names no format that can be written; use .tif, .tiff, .png, "
                   ".jpg, .jpeg or .webp"));
}

absl::Status CheckOutputFormat(OutputKind kind, const CanvasFormat& format) {
  const FormatLimits limits = LimitsOf(kind);
  if (format.size.width < 1 || format.size.height < 1 || format.channels < 1 ||
      format.channels > 4) {
    return absl::InvalidArgumentError(
        absl::StrCat("an output of ", ToString(format.size), " pixels and ", format.channels,
                     " channels is no image; 1 to 4 channels can be written"));
  }
  if (format.size.width > limits.side_max || format.size.height > limits.side_max) {
    return absl::InvalidArgumentError(absl::StrCat(
        limits.name, " cannot hold the output's ", ToString(format.size), " pixels, only ",
        limits.side_max, " a side; ", kind == OutputKind::kTiff ? "crop the input" : "write .tif"));
  }
  const bool floating = format.sample == SampleType::kF16 || format.sample == SampleType::kF32;
  if ((floating && !limits.floating) || (format.sample == SampleType::kU16 && !limits.u16)) {
    return absl::InvalidArgumentError(absl::StrCat(limits.name, " cannot hold ",
                                                   SampleTypeName(format.sample),
                                                   " samples; write .tif or 8 bit samples"));
  }
  if ((format.channels == 2 || format.channels == 4) && !limits.alpha) {
    return absl::InvalidArgumentError(
        absl::StrCat(limits.name, " cannot hold an alpha channel; write .tif, .png or .webp"));
  }
  return absl::OkStatus();
}

}  // namespace tilewright
