#include "coordinator/image/output_format.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/blend/channel_count.h"

namespace tilewright {
namespace {

constexpr int64_t kTileSideMin = 128;
constexpr int64_t kTileBytesMax = int64_t{16} << 20;
constexpr int kDeflateLevelMax = 12;
constexpr int kZstdLevelMax = 19;

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
    case OutputKind::kDzi:
    case OutputKind::kSzi:
      return {"Deep Zoom", 10'000'000, true, false, true};
    case OutputKind::kNpy:
      return {".npy", 10'000'000, true, true, true};  // of the TIFF that it is made of
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
  if (name == "jpeg") return Compression::kJpeg;
  return absl::InvalidArgumentError(
      absl::StrCat("unknown compression '", name, "'; choose none, deflate, zstd, lzw or jpeg"));
}

int64_t UsualTileSide(const CanvasFormat& format) {
  int64_t side = kBlockSide;
  while (side > kTileSideMin && side * side * format.pixel_bytes() > kTileBytesMax) side /= 2;
  return side;
}

absl::Status CheckEncoding(const TiffEncoding& encoding, const CanvasFormat& format) {
  const int level_max =
      encoding.compression == Compression::kDeflate ? kDeflateLevelMax : kZstdLevelMax;
  if (encoding.level < 1 || encoding.level > level_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("compression level ", encoding.level, " is out of range; give deflate 1 to ",
                     kDeflateLevelMax, ", zstd 1 to ", kZstdLevelMax));
  }
  if (encoding.jpeg_quality < 1 || encoding.jpeg_quality > 100) {
    return absl::InvalidArgumentError(
        absl::StrCat("JPEG quality ", encoding.jpeg_quality, " is out of range; give 1 to 100"));
  }
  if (encoding.tile_side != 128 && encoding.tile_side != 256 && encoding.tile_side != 512) {
    return absl::InvalidArgumentError(absl::StrCat("TIFF tiles of ", encoding.tile_side,
                                                   " pixels cannot be written; give 128, 256 or "
                                                   "512"));
  }
  if (encoding.compression != Compression::kJpeg) return absl::OkStatus();
  if (format.labels) {
    return absl::InvalidArgumentError(
        "JPEG compression changes samples, and labels would become those of other classes; choose "
        "none, deflate, zstd or lzw");
  }
  if (format.sample != SampleType::kU8 || (format.channels != 1 && format.channels != 3)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "JPEG compression holds 8 bit grey or RGB, and the output has ", format.channels,
        " channels of ", SampleTypeName(format.sample), "; choose none, deflate, zstd or lzw"));
  }
  return absl::OkStatus();
}

absl::string_view CompressionName(Compression compression) {
  switch (compression) {
    case Compression::kNone:
      return "none";
    case Compression::kDeflate:
      return "deflate";
    case Compression::kZstd:
      return "zstd";
    case Compression::kLzw:
      return "lzw";
    case Compression::kJpeg:
      return "jpeg";
  }
  return "";
}

std::string Describe(const TiffEncoding& encoding) {
  const absl::string_view name = CompressionName(encoding.compression);
  switch (encoding.compression) {
    case Compression::kDeflate:
    case Compression::kZstd:
      return absl::StrCat(name, " ", encoding.level);
    case Compression::kJpeg:
      return absl::StrCat(name, " ", encoding.jpeg_quality);
    case Compression::kNone:
    case Compression::kLzw:
      break;
  }
  return std::string(name);
}

bool UsesPredictor(const TiffEncoding& encoding, SampleType sample) {
  return encoding.predictor && encoding.compression != Compression::kNone &&
         encoding.compression != Compression::kJpeg &&
         (sample == SampleType::kU8 || sample == SampleType::kU16);
}

absl::StatusOr<OutputKind> OutputKindOf(const std::string& path) {
  const std::string name = absl::AsciiStrToLower(path);
  if (absl::EndsWith(name, ".tif") || absl::EndsWith(name, ".tiff")) return OutputKind::kTiff;
  if (absl::EndsWith(name, ".png")) return OutputKind::kPng;
  if (absl::EndsWith(name, ".jpg") || absl::EndsWith(name, ".jpeg")) return OutputKind::kJpeg;
  if (absl::EndsWith(name, ".webp")) return OutputKind::kWebp;
  if (absl::EndsWith(name, ".dzi")) return OutputKind::kDzi;
  if (absl::EndsWith(name, ".szi")) return OutputKind::kSzi;
  if (absl::EndsWith(name, ".npy")) return OutputKind::kNpy;
  return absl::InvalidArgumentError(
      absl::StrCat("output ", path,
                   ": its extension names no format that can be written; use .tif, .tiff, .png, "
                   ".jpg, .jpeg, .webp, .dzi, .szi or .npy"));
}

absl::string_view OutputKindName(OutputKind kind) {
  switch (kind) {
    case OutputKind::kTiff:
      return "tif";
    case OutputKind::kPng:
      return "png";
    case OutputKind::kJpeg:
      return "jpg";
    case OutputKind::kWebp:
      return "webp";
    case OutputKind::kDzi:
      return "dzi";
    case OutputKind::kSzi:
      return "szi";
    case OutputKind::kNpy:
      return "npy";
  }
  return "";
}

absl::Status CheckOutputFormat(OutputKind kind, const CanvasFormat& format) {
  const FormatLimits limits = LimitsOf(kind);
  const int channels_max = format.array ? kChannelsMax : 4;
  if (format.size.width < 1 || format.size.height < 1 || format.channels < 1 ||
      format.channels > channels_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("an output of ", ToString(format.size), " pixels and ", format.channels,
                     " channels is no image; 1 to ", channels_max, " channels can be written"));
  }
  if (format.array && kind != OutputKind::kTiff && kind != OutputKind::kNpy) {
    return absl::InvalidArgumentError(
        absl::StrCat(limits.name, " cannot hold ", format.channels,
                     " channels that are no colours; write .tif or .npy"));
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
  // libvips, which reads the TIFF for it, knows no such samples.
  if (kind == OutputKind::kNpy && format.sample == SampleType::kF16) {
    return absl::InvalidArgumentError(
        absl::StrCat(limits.name, " cannot hold f16 samples; write .tif or f32 samples"));
  }
  if (format.labels && (kind == OutputKind::kJpeg || kind == OutputKind::kWebp)) {
    return absl::InvalidArgumentError(
        absl::StrCat(limits.name,
                     " changes samples, and labels would become those of other "
                     "classes; write .tif or .png"));
  }
  if ((format.channels == 2 || format.channels == 4) && !limits.alpha) {
    return absl::InvalidArgumentError(
        absl::StrCat(limits.name, " cannot hold an alpha channel; write .tif, .png or .webp"));
  }
  return absl::OkStatus();
}

int PyramidLevels(Size size) {
  int levels = 1;
  for (int64_t side = std::max(size.width, size.height); side > kBlockSide; side = (side + 1) / 2) {
    ++levels;
  }
  return levels;
}

CanvasFormat LevelFormat(const CanvasFormat& format, int level) {
  CanvasFormat reduced = format;
  for (int i = 0; i < level; ++i) {
    reduced.size = {(reduced.size.width + 1) / 2, (reduced.size.height + 1) / 2};
  }
  return reduced;
}

}  // namespace tilewright
