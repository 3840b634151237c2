#include "client/cli/render_flags.h"

#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/stage_flags.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

// 0 unless it is set.
absl::StatusOr<absl::Duration> ResolveSeconds(const Settings& settings, const std::string& name,
                                              const std::optional<std::string>& flag) {
  const std::string text = settings.Resolve(name, flag, "0");
  double seconds = 0;
  if (!absl::SimpleAtod(text, &seconds) || !(seconds >= 0) || seconds > 1e7) {
    return absl::InvalidArgumentError(
        absl::StrCat("setting '", name, "' is '", text, "': give seconds, 0 to 10000000"));
  }
  return absl::Seconds(seconds);
}

// 0 unless it is set; the coordinator knows what is in range.
absl::StatusOr<uint32_t> ResolveNumber(const Settings& settings, const std::string& name,
                                       const std::optional<std::string>& flag) {
  const std::string text = settings.Resolve(name, flag, "0");
  uint32_t number = 0;
  if (absl::SimpleAtoi(text, &number)) return number;
  return absl::InvalidArgumentError(
      absl::StrCat("setting '", name, "' is '", text, "': give a whole number"));
}

absl::StatusOr<OnFailedTile> ParseOnFailedTile(const std::string& text) {
  if (text == "fail") return OnFailedTile::kFail;
  if (text == "wait") return OnFailedTile::kWait;
  if (text == "hole") return OnFailedTile::kHole;
  return absl::InvalidArgumentError(
      absl::StrCat("setting 'on-failed-tile' is '", text, "': say fail, wait or hole"));
}

absl::StatusOr<Region> ParseRegion(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ',');
  Region region;
  const bool good = parts.size() == 4 && absl::SimpleAtoi(parts[0], &region.x) &&
                    absl::SimpleAtoi(parts[1], &region.y) &&
                    absl::SimpleAtoi(parts[2], &region.width) &&
                    absl::SimpleAtoi(parts[3], &region.height);
  if (good) return region;
  return absl::InvalidArgumentError(
      absl::StrCat("--region is '", text, "': give x,y,width,height in input pixels"));
}

absl::StatusOr<Ratio> ParseScale(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  Ratio scale;
  const bool good = parts.size() <= 2 && absl::SimpleAtoi(parts[0], &scale.p) &&
                    (parts.size() == 1 || absl::SimpleAtoi(parts[1], &scale.q)) && scale.p > 0 &&
                    scale.q > 0;
  if (good) return scale;
  return absl::InvalidArgumentError(
      absl::StrCat("--scale is '", text, "': give P or P/Q, for instance 3 or 3/2"));
}

}  // namespace

absl::StatusOr<ProgressMode> ResolveRenderFlags(const Settings& settings, RenderFlags& flags) {
  for (const std::string& text : flags.then) {
    TW_ASSIGN_OR_RETURN(RenderRequest::Stage stage, ParseStage(text));
    flags.request.then.push_back(std::move(stage));
  }
  if (flags.region.has_value()) {
    TW_ASSIGN_OR_RETURN(flags.request.region, ParseRegion(*flags.region));
  }
  if (flags.scale.has_value()) {
    TW_ASSIGN_OR_RETURN(flags.request.scale, ParseScale(*flags.scale));
  }
  RenderRequest& request = flags.request;
  request.compression = settings.Resolve("compression", flags.compression, "");
  TW_ASSIGN_OR_RETURN(request.compression_level,
                      ResolveNumber(settings, "compression-level", flags.compression_level));
  TW_ASSIGN_OR_RETURN(request.jpeg_quality,
                      ResolveNumber(settings, "jpeg-quality", flags.jpeg_quality));
  TW_ASSIGN_OR_RETURN(request.tiff_tile, ResolveNumber(settings, "tiff-tile", flags.tiff_tile));
  TW_ASSIGN_OR_RETURN(request.keep_partial,
                      settings.ResolveSwitch("keep-partial", request.keep_partial));
  TW_ASSIGN_OR_RETURN(request.overviews, settings.ResolveSwitch("overviews", request.overviews));
  TW_ASSIGN_OR_RETURN(flags.request.tile_timeout,
                      ResolveSeconds(settings, "tile-timeout", flags.tile_timeout));
  TW_ASSIGN_OR_RETURN(flags.request.max_duration,
                      ResolveSeconds(settings, "max-duration", flags.max_duration));
  TW_ASSIGN_OR_RETURN(
      flags.request.on_failed_tile,
      ParseOnFailedTile(settings.Resolve("on-failed-tile", flags.on_failed_tile, "fail")));
  return ParseProgressMode(settings.Resolve("progress", flags.progress, "auto"));
}

void AddRenderFlags(CLI::App& command, RenderFlags& flags) {
  RenderRequest& request = flags.request;
  command.add_option("-n,--model", request.model, "Model, see: tilewright models list")
      ->required()
      ->type_name("NAME");
  command
      .add_option("--then", flags.then,
                  "A further stage, which takes what the one before makes; repeatable. The options "
                  "of the first stage stand for themselves, those of this one follow its model: "
                  "sharpen,tile=256,halo=8,sample=u8")
      ->type_name("MODEL[,OPTION=VALUE]...");
  command
      .add_option("--sample", request.sample,
                  "Samples that the model's output is made of (default: the input's if the file "
                  "holds them, else u8; with --then f16 for 8 bits, else f32)")
      ->check(CLI::IsMember({"u8", "u16", "f16", "f32"}));
  command.add_flag("--undecided", request.undecided,
                   "Of a model whose output is labels decided of logits: write the logits, f32 "
                   "unless --sample says else");
  command
      .add_option("--mask", request.mask,
                  "Grey image of the input's size: black stays as it is, white is rendered")
      ->type_name("PATH");
  command
      .add_option("--previous", request.previous,
                  "For a model that takes the frame before: an image of the input's size (default: "
                  "zeros)")
      ->type_name("PATH");
  command
      .add_option("--region", flags.region,
                  "Render only this part, input pixels; its pixels are those of the whole")
      ->type_name("X,Y,W,H");
  command
      .add_option("--scale", flags.scale,
                  "Output pixels per input pixel, if not the model's: the picture is resampled "
                  "when it is finished")
      ->type_name("P/Q");
  command.add_option("-t,--tile", request.tile, "Side of a tile, input pixels (default: model's)")
      ->check(CLI::PositiveNumber)
      ->type_name("PX");
  command.add_option("--overlap", request.overlap, "Blend zone of neighbours, input pixels, even")
      ->type_name("PX");
  command.add_option("--halo", request.halo, "Context computed and thrown away, input pixels")
      ->type_name("PX");
  command.add_option("--window", request.window, "Shape of the blend")
      ->check(CLI::IsMember({"cosine", "linear", "gaussian"}));
  command
      .add_option(
          "--dtype", request.dtype,
          "Element type in the engine, one that the model allows (default: fp32 if it does)")
      ->check(CLI::IsMember({"fp32", "fp16", "bf16"}));
  command
      .add_option("--tile-timeout", flags.tile_timeout,
                  "Most time for one tile [TILEWRIGHT_TILE_TIMEOUT] (default: coordinator's)")
      ->type_name("SECONDS");
  command
      .add_option("--max-duration", flags.max_duration,
                  "Fail the job after so long, pauses included [TILEWRIGHT_MAX_DURATION] "
                  "(default: never)")
      ->type_name("SECONDS");
  command
      .add_option("--on-failed-tile", flags.on_failed_tile,
                  "When a tile fails on worker after worker: fail the job, wait for `tilewright "
                  "jobs retry|accept-holes|cancel`, or leave a hole in the picture "
                  "[TILEWRIGHT_ON_FAILED_TILE] (default fail)")
      ->check(CLI::IsMember({"fail", "wait", "hole"}));
  command
      .add_option("--priority", request.priority,
                  "-5 to 5; each step doubles the job's share of the workers (default 0)")
      ->check(CLI::Range(-5, 5));
  command
      .add_option("--compression", flags.compression,
                  "Of a TIFF: deflate, zstd, lzw, none; jpeg loses information "
                  "[TILEWRIGHT_COMPRESSION] (default deflate)")
      ->check(CLI::IsMember({"deflate", "zstd", "lzw", "jpeg", "none"}));
  command
      .add_option("--compression-level", flags.compression_level,
                  "deflate 1 to 12, zstd 1 to 19 [TILEWRIGHT_COMPRESSION_LEVEL] (default 1)")
      ->type_name("LEVEL");
  command
      .add_option("--jpeg-quality", flags.jpeg_quality,
                  "1 to 100, of JPEG and WebP files, tiles of .dzi and .szi, and TIFFs with "
                  "--compression jpeg "
                  "[TILEWRIGHT_JPEG_QUALITY] (default 95)")
      ->type_name("QUALITY");
  command
      .add_option("--tiff-tile", flags.tiff_tile,
                  "Side of a TIFF's tiles: 128, 256 or 512 [TILEWRIGHT_TIFF_TILE] (default 512)")
      ->type_name("PX");
  command.add_flag("--overviews", request.overviews,
                   "Write the TIFF's reduced images too, each half as wide and high as the one "
                   "before [TILEWRIGHT_OVERVIEWS]");
  command.add_flag("--keep-partial", request.keep_partial,
                   "If the job fails or is cancelled, leave what was computed as NAME.partial.tif, "
                   "zero where tiles are missing, and a list of those [TILEWRIGHT_KEEP_PARTIAL]");
  command.add_flag("--strict", request.strict, "Prove that all bits come from equal workers");
  command.add_flag("--cpu-fallback", request.cpu_fallback,
                   "Where a device's memory does not suffice, let its worker use the CPU");
  command.add_flag("--overwrite", request.overwrite, "Replace an existing output");
  command.add_flag("--continue", request.continue_partial,
                   "Go on from what an unfinished job of the same request left beside the output");
  command
      .add_option("--progress", flags.progress,
                  "auto, bar, plain, json or none [TILEWRIGHT_PROGRESS] (default auto)")
      ->check(CLI::IsMember({"auto", "bar", "plain", "json", "none"}));
}

}  // namespace tilewright
