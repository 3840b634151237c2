// tilewright render: submit a job, show its progress, say what became of it.

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/commands.h"
#include "client/cli/documents.h"
#include "client/cli/interrupt.h"
#include "client/cli/progress_reporter.h"
#include "client/cli/report.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

struct RenderFlags {
  RenderRequest request;
  std::optional<std::string> region;
  std::optional<std::string> scale;
  std::optional<std::string> tile_timeout;
  std::optional<std::string> max_duration;
  std::optional<std::string> on_failed_tile;
  std::optional<std::string> compression;
  std::optional<std::string> compression_level;
  std::optional<std::string> jpeg_quality;
  std::optional<std::string> tiff_tile;
  std::optional<std::string> progress;
  bool dry_run = false;
  bool no_wait = false;
};

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

// Settings that flags did not give.
absl::StatusOr<ProgressMode> Resolve(const Settings& settings, RenderFlags& flags) {
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

ExitCode DryRun(const Session& session, Client& client, const RenderRequest& request) {
  auto submission = client.DryRun(request);
  if (!submission.ok()) return session.Fail(submission.status(), request.output);
  submission->job.output = submission->output;
  std::string text = PlanReport(submission->job.plan);
  for (const std::string& note : submission->notes) absl::StrAppend(&text, "note: ", note, "\n");
  session.Print(JobDocument(submission->job, submission->notes), text);
  return ExitCode::kOk;
}

ExitCode Report(const Session& session, const Submission& submission, const Job& job) {
  if (!job.error.ok()) std::fprintf(stderr, "%s\n", ErrorText(job.error).c_str());
  session.Print(JobDocument(job, submission.notes), JobReport(job, false));
  return ExitCodeOf(job);
}

ExitCode RenderAndWait(const Session& session, Client& client, Interrupt& interrupt,
                       const Submission& submission, ProgressMode mode) {
  interrupt.SetHandler([&client, &submission] {
    std::fprintf(stderr, "\ncancelling %s; Ctrl-C again leaves at once\n",
                 submission.job.name.c_str());
    const auto cancelled = client.Cancel(submission.job.name);
    if (!cancelled.ok()) std::fprintf(stderr, "%s\n", ErrorText(cancelled.status()).c_str());
  });
  absl::StatusOr<Job> job;
  {
    ProgressReporter reporter(mode);
    job = client.Finish(submission, [&reporter](const Job& now) {
      reporter.Update(now);
      return true;
    });
  }
  interrupt.SetHandler(nullptr);
  if (!job.ok()) return session.Fail(job.status(), submission.output);
  return Report(session, submission, *job);
}

ExitCode Render(const Session& session, RenderFlags& flags) {
  const auto mode = Resolve(session.settings(), flags);
  if (!mode.ok()) {
    session.Fail(mode.status(), flags.request.output);
    return ExitCode::kUsage;
  }
  Interrupt interrupt;  // before gRPC starts threads
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.status(), flags.request.output);
  if (flags.dry_run) return DryRun(session, **client, flags.request);

  const auto submission = (*client)->Submit(flags.request);
  if (!submission.ok()) return session.Fail(submission.status(), flags.request.output);
  for (const std::string& note : submission->notes) std::fprintf(stderr, "%s\n", note.c_str());
  for (const std::string& note : submission->job.plan.notes) {
    std::fprintf(stderr, "%s\n", note.c_str());
  }
  if (flags.no_wait) return Report(session, *submission, submission->job);
  return RenderAndWait(session, **client, interrupt, *submission, *mode);
}

}  // namespace

void AddRender(CLI::App& app, Session& session) {
  CLI::App* command = app.add_subcommand("render", "Render an image through a model");
  const auto flags = std::make_shared<RenderFlags>();
  RenderRequest& request = flags->request;
  command->add_option("-i,--input", request.input, "Image to read")->required()->type_name("PATH");
  command
      ->add_option("-o,--output", request.output,
                   "File to write; .tif, .png, .jpg, .webp, .dzi or .szi")
      ->required()
      ->type_name("PATH");
  command->add_option("-n,--model", request.model, "Model, see: tilewright models list")
      ->required()
      ->type_name("NAME");
  command
      ->add_option("--mask", request.mask,
                   "Grey image of the input's size: black stays as it is, white is rendered")
      ->type_name("PATH");
  command
      ->add_option("--region", flags->region,
                   "Render only this part, input pixels; its pixels are those of the whole")
      ->type_name("X,Y,W,H");
  command
      ->add_option("--scale", flags->scale,
                   "Output pixels per input pixel, if not the model's: the picture is resampled "
                   "when it is finished")
      ->type_name("P/Q");
  command->add_option("-t,--tile", request.tile, "Side of a tile, input pixels (default: model's)")
      ->check(CLI::PositiveNumber)
      ->type_name("PX");
  command->add_option("--overlap", request.overlap, "Blend zone of neighbours, input pixels, even")
      ->type_name("PX");
  command->add_option("--halo", request.halo, "Context computed and thrown away, input pixels")
      ->type_name("PX");
  command->add_option("--window", request.window, "Shape of the blend")
      ->check(CLI::IsMember({"cosine", "linear", "gaussian"}));
  command
      ->add_option(
          "--dtype", request.dtype,
          "Element type in the engine, one that the model allows (default: fp32 if it does)")
      ->check(CLI::IsMember({"fp32", "fp16", "bf16"}));
  command
      ->add_option("--tile-timeout", flags->tile_timeout,
                   "Most time for one tile [TILEWRIGHT_TILE_TIMEOUT] (default: coordinator's)")
      ->type_name("SECONDS");
  command
      ->add_option("--max-duration", flags->max_duration,
                   "Fail the job after so long, pauses included [TILEWRIGHT_MAX_DURATION] "
                   "(default: never)")
      ->type_name("SECONDS");
  command
      ->add_option("--on-failed-tile", flags->on_failed_tile,
                   "When a tile fails on worker after worker: fail the job, wait for `tilewright "
                   "jobs retry|accept-holes|cancel`, or leave a hole in the picture "
                   "[TILEWRIGHT_ON_FAILED_TILE] (default fail)")
      ->check(CLI::IsMember({"fail", "wait", "hole"}));
  command
      ->add_option("--priority", request.priority,
                   "-5 to 5; each step doubles the job's share of the workers (default 0)")
      ->check(CLI::Range(-5, 5));
  command
      ->add_option("--compression", flags->compression,
                   "Of a TIFF: deflate, zstd, lzw, none; jpeg loses information "
                   "[TILEWRIGHT_COMPRESSION] (default deflate)")
      ->check(CLI::IsMember({"deflate", "zstd", "lzw", "jpeg", "none"}));
  command
      ->add_option("--compression-level", flags->compression_level,
                   "deflate 1 to 12, zstd 1 to 19 [TILEWRIGHT_COMPRESSION_LEVEL] (default 1)")
      ->type_name("LEVEL");
  command
      ->add_option("--jpeg-quality", flags->jpeg_quality,
                   "1 to 100, of JPEG and WebP files, tiles of .dzi and .szi, and TIFFs with "
                   "--compression jpeg "
                   "[TILEWRIGHT_JPEG_QUALITY] (default 95)")
      ->type_name("QUALITY");
  command
      ->add_option("--tiff-tile", flags->tiff_tile,
                   "Side of a TIFF's tiles: 128, 256 or 512 [TILEWRIGHT_TIFF_TILE] (default 512)")
      ->type_name("PX");
  command->add_flag("--overviews", request.overviews,
                    "Write the TIFF's reduced images too, each half as wide and high as the one "
                    "before [TILEWRIGHT_OVERVIEWS]");
  command->add_flag("--strict", request.strict, "Prove that all bits come from equal workers");
  command->add_flag("--cpu-fallback", request.cpu_fallback,
                    "Where a device's memory does not suffice, let its worker use the CPU");
  command->add_flag("--overwrite", request.overwrite, "Replace an existing output");
  command
      ->add_option("--request-id", request.request_id,
                   "Submit once: the same id and request again return the same job")
      ->type_name("ID");
  command
      ->add_option("--progress", flags->progress,
                   "auto, bar, plain, json or none [TILEWRIGHT_PROGRESS] (default auto)")
      ->check(CLI::IsMember({"auto", "bar", "plain", "json", "none"}));
  command->add_flag("--dry-run", flags->dry_run, "Print the plan and which workers match");
  command->add_flag("--no-wait", flags->no_wait, "Submit, print the job and leave");
  command->footer(
      "Examples:\n"
      "  tilewright render -i photo.jpg -o photo_x4.tif -n lanczos4x\n"
      "  tilewright render -i photo.jpg -o photo_x4.png -n lanczos4x-torch -t 256 --dry-run\n"
      "Ctrl-C cancels the job; a second Ctrl-C leaves at once. Progress goes to stderr, as JSON to "
      "stdout.\n"
      "Server, --json and exit codes: tilewright --help");
  command->callback([&session, flags] {
    session.SetAction([&session, flags] { return Render(session, *flags); });
  });
}

}  // namespace tilewright
