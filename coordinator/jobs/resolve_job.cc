#include "coordinator/jobs/resolve_job.h"

#include <sys/stat.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <filesystem>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "coordinator/image/deciding_sink.h"
#include "coordinator/image/decoded_copy.h"
#include "coordinator/image/file_error.h"
#include "coordinator/image/npy_header.h"
#include "coordinator/jobs/beside_image.h"
#include "coordinator/jobs/chosen_stages.h"
#include "coordinator/jobs/decision.h"
#include "coordinator/jobs/describe_job.h"
#include "coordinator/jobs/input_error.h"
#include "coordinator/jobs/marked_tiles.h"
#include "coordinator/jobs/output_encoding.h"
#include "coordinator/jobs/output_scale.h"
#include "coordinator/jobs/resolve_stage.h"
#include "coordinator/jobs/wire_types.h"
#include "coordinator/models/manifest.h"
#include "proto/base/status_macros.h"
#include "proto/wire/file_uri.h"
#include "proto/wire/status_details.h"
#include "proto/wire/tile_types.h"

namespace tilewright {
namespace {

constexpr double kTileTimeoutMaxSeconds = 7 * 24 * 3600.0;
constexpr double kMaxDurationMaxSeconds = 366 * 24 * 3600.0;

absl::Status BadRequest(std::string text) {
  return WithReason(absl::InvalidArgumentError(std::move(text)), "BAD_REQUEST");
}

absl::Status CheckRequest(const v1::RenderRequest& request) {
  if (request.input().empty()) return BadRequest("the request names no input");
  if (request.output().empty()) return BadRequest("the request names no output");
  TW_RETURN_IF_ERROR(CheckStages(request));
  const double timeout = request.tile_timeout_seconds();
  if (!std::isfinite(timeout) || timeout < 0 || timeout > kTileTimeoutMaxSeconds) {
    return BadRequest(absl::StrCat("a tile timeout of ", timeout,
                                   " s is out of range: give 0 (the default, 3600) to ",
                                   kTileTimeoutMaxSeconds));
  }
  const double duration = request.max_duration_seconds();
  if (!std::isfinite(duration) || duration < 0 || duration > kMaxDurationMaxSeconds) {
    return BadRequest(absl::StrCat("a maximum duration of ", duration,
                                   " s is out of range: give 0 (no limit) to ",
                                   kMaxDurationMaxSeconds));
  }
  if (request.priority() < kPriorityMin || request.priority() > kPriorityMax) {
    return BadRequest(absl::StrCat("priority ", request.priority(), " is out of range: give ",
                                   kPriorityMin, " to ", kPriorityMax));
  }
  if (!v1::OnFailedTile_IsValid(request.on_failed_tile())) {
    return BadRequest(absl::StrCat("on_failed_tile ", static_cast<int>(request.on_failed_tile()),
                                   " is unknown to this coordinator: give fail, wait or hole"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> FilePath(const std::string& uri, const Roots& roots) {
  if (!absl::StartsWith(uri, "file:")) {
    return WithReason(absl::UnimplementedError(
                          absl::StrCat("'", uri,
                                       "' has a scheme that this coordinator does not know: use "
                                       "file:///absolute/path, or upload and download")),
                      "BAD_URI");
  }
  absl::StatusOr<std::string> path = PathOfFileUri(uri);
  if (!path.ok()) return OrReason(path.status(), "BAD_URI");
  return roots.Resolve(*path);
}

bool IsUpload(absl::string_view uri) { return absl::StartsWith(uri, "upload:"); }

// `said` is what the client sees of the file, or nullptr; `facts` is what the coordinator does.
absl::StatusOr<std::string> SharedPath(const std::string& uri, const v1::FileFacts* said,
                                       const ResolveContext& context, v1::FileFacts* facts) {
  TW_ASSIGN_OR_RETURN(const std::string path, FilePath(uri, context.roots));
  TW_ASSIGN_OR_RETURN(*facts, StatFile(path));
  if (said != nullptr && !SameFile(*facts, *said)) {
    return WithReason(absl::FailedPreconditionError(
                          absl::StrCat("'", path,
                                       "' is another file for the coordinator than for the client, "
                                       "or it was changed meanwhile: submit again, or upload it")),
                      "INPUT_CHANGED");
  }
  return path;
}

// Uploads that it reads are appended.
absl::StatusOr<std::unique_ptr<ImageReader>> OpenInput(const std::string& uri, uint32_t page,
                                                       const v1::FileFacts* said,
                                                       const ResolveContext& context,
                                                       v1::FileFacts* facts,
                                                       std::vector<std::string>* uploads) {
  std::string path;
  if (IsUpload(uri)) {
    TW_ASSIGN_OR_RETURN(KeptUpload upload, context.uploads.Find(uri));
    if (upload.page != page) {
      return BadRequest(absl::StrCat("page ", page, " of '", uri, "' was asked for, and page ",
                                     upload.page,
                                     " is what was kept of it: upload the file for that page"));
    }
    uploads->push_back(uri);
    path = std::move(upload.path);
    page = 0;  // of one
  } else {
    TW_ASSIGN_OR_RETURN(path, SharedPath(uri, said, context, facts));
  }
  absl::StatusOr<std::unique_ptr<ImageReader>> reader =
      ImageReader::Open(path, context.limits, page);
  if (!reader.ok()) return WithInputReason(reader.status());
  return reader;
}

absl::Status BadMask(const absl::Status& status) { return OrReason(status, "BAD_MASK"); }

// Wants all stages but for the plan of the last. Whether its output, of scale 1 in all, lies over
// the image that a mask lies over.
absl::Status CheckKeepsSize(const ResolvedJob& job) {
  int64_t p = job.model->geometry.scale.p();
  int64_t q = job.model->geometry.scale.q();
  if (job.before.empty() && p != q) {
    return BadMask(absl::InvalidArgumentError(
        absl::StrCat("a mask needs a model that keeps the size of the image; ",
                     job.model->model.name(), " scales by ", p, "/", q)));
  }
  const Size made{job.model->geometry.scale.OutputLength(job.input.size.width),
                  job.model->geometry.scale.OutputLength(job.input.size.height)};
  for (const ResolvedStage& stage : job.before) {
    p *= stage.model->geometry.scale.p();
    q *= stage.model->geometry.scale.q();
  }
  const Size image = job.reader->info().size;
  if (p == q && made == image) return absl::OkStatus();
  return BadMask(absl::InvalidArgumentError(
      absl::StrCat("a mask needs stages that together keep the size of the image; these make ",
                   ToString(made), " pixels of ", ToString(image))));
}

absl::Status ResolveMask(ResolvedJob* job) {
  TW_RETURN_IF_ERROR(CheckKeepsSize(*job));
  absl::StatusOr<std::unique_ptr<Mask>> mask = Mask::Create(*job->mask_reader, job->reader->info());
  if (!mask.ok()) return BadMask(mask.status());
  job->mask = *std::move(mask);
  return absl::OkStatus();
}

// Fills `wanted`, as far as the mask is not asked.
absl::Status ChooseTiles(ResolvedJob* job) {
  job->wanted = std::make_shared<const WantedTiles>(*job->plan);
  if (job->mask == nullptr && !job->request.has_region()) return absl::OkStatus();
  const ImageInfo& image = job->reader->info();
  if (job->mask != nullptr && job->format.channels != image.channels) {
    return BadMask(absl::InvalidArgumentError(
        absl::StrCat("with a mask the output keeps channels of the input: the input has ",
                     image.channels, ", the model gives ", job->format.channels)));
  }
  const SampleType sample = job->format.sample;
  if (job->mask != nullptr &&
      (sample != image.sample || (sample != SampleType::kU8 && sample != SampleType::kU16))) {
    return BadMask(absl::InvalidArgumentError(absl::StrCat(
        "with a mask the output keeps samples of the input, of 8 or 16 bits: the input has ",
        SampleTypeName(image.sample), ", the output would have ", SampleTypeName(sample))));
  }
  absl::StatusOr<WantedTiles> wanted = MarkedTiles(*job->plan, nullptr);
  if (!wanted.ok()) return WithInputReason(wanted.status());
  job->wanted = std::make_shared<const WantedTiles>(*std::move(wanted));
  return absl::OkStatus();
}

// That of the job's input, unless the models make something else of a picture: an array would lose
// what it is in integers, a picture of an array and labels are what 8 bits are for. `format` has
// its channels. Logits are f32, whatever they are made of.
SampleType DefaultSample(const ResolvedJob& job) {
  const ImageInfo& first = job.reader->info();
  if (job.format.array && (!first.array || GivesLogits(job.model->model.manifest()))) {
    return SampleType::kF32;
  }
  const bool labels =
      job.model->merge == MergeKind::kCut && job.format.channels != job.input.channels;
  if (labels || (first.array && !job.format.array)) return SampleType::kU8;
  return first.sample;
}

absl::Status OutputFormatError(const absl::Status& status) {
  return OrReason(status, "BAD_OUTPUT_FORMAT");
}

bool IsExtension(absl::string_view text) {
  return absl::ConsumePrefix(&text, ".") && !text.empty() && text.size() <= 8 &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)); });
}

// Fills format, decided and written, for an output of that kind.
absl::Status ResolveFormat(OutputKind kind, ResolvedJob* job) {
  const v1::RenderRequest& request = job->request;
  TW_ASSIGN_OR_RETURN(job->decided, ResolveDecision(request, *job->model));
  CanvasFormat& format = job->format;
  format.size = job->plan->output();
  format.labels = job->model->merge == MergeKind::kCut;
  const v1::SampleType asked = request.stages(job->number).output_sample();
  if (job->decided) {
    format.sample = SampleType::kF32;
  } else if (asked != v1::SAMPLE_TYPE_UNSPECIFIED) {
    const std::optional<SampleType> sample = FromWire(asked);
    if (!sample.has_value()) {
      return BadRequest(absl::StrCat("sample type ", static_cast<int>(asked), " is unknown"));
    }
    format.sample = *sample;
  } else {
    format.sample = DefaultSample(*job);
    if (!CheckOutputFormat(kind, format).ok()) format.sample = SampleType::kU8;
  }
  job->written = job->decided ? DecidedFormat(format) : format;
  return absl::OkStatus();
}

// Fills output_path, output_extension, kind, format, decided, written, resampled and encoding.
absl::Status ResolveOutput(const ResolveContext& context, ResolvedJob* job,
                           std::vector<std::string>* notes) {
  const v1::RenderRequest& request = job->request;
  std::string name;
  absl::string_view extension = request.output();
  if (absl::ConsumePrefix(&extension, "download:")) {
    // It becomes part of a file's name in the coordinator's own folder.
    if (!IsExtension(extension)) {
      return WithReason(
          absl::InvalidArgumentError(absl::StrCat("'", request.output(),
                                                  "' is not 'download:' with a file extension, "
                                                  "for instance 'download:.png'")),
          "BAD_URI");
    }
    if (absl::EqualsIgnoreCase(extension, ".dzi")) {
      return OutputFormatError(absl::InvalidArgumentError(
          "a .dzi is a file and a folder of many, which cannot be downloaded: write .szi, or write "
          "where the coordinator sees the folder"));
    }
    job->output_extension = std::string(extension);
    name = absl::StrCat("download", extension);
  } else {
    TW_ASSIGN_OR_RETURN(job->output_path, FilePath(request.output(), context.roots));
    name = job->output_path;
    struct stat facts;
    const bool exists = stat(name.c_str(), &facts) == 0;
    if (exists && !request.overwrite()) {
      return WithReason(absl::AlreadyExistsError(absl::StrCat(
                            "the output '", name, "' exists: choose another name or --overwrite")),
                        "OUTPUT_EXISTS");
    }
    const std::string partial = PartialPathOf(name);
    struct stat partial_facts;
    if (request.output_options().keep_partial() && !request.overwrite() &&
        stat(partial.c_str(), &partial_facts) == 0) {
      return WithReason(absl::AlreadyExistsError(
                            absl::StrCat("'", partial,
                                         "', where a partial output would be kept, exists: choose "
                                         "another name or --overwrite")),
                        "OUTPUT_EXISTS");
    }
    const std::string folder = std::filesystem::path(name).parent_path().string();
    struct stat folder_facts;
    if (stat(folder.c_str(), &folder_facts) != 0 || !S_ISDIR(folder_facts.st_mode)) {
      return WithReason(absl::NotFoundError(absl::StrCat(
                            "the output's folder '", folder,
                            "' does not exist on the coordinator's machine: create it first")),
                        "OUTPUT_NOT_WRITABLE");
    }
    if (exists && !S_ISREG(facts.st_mode)) {
      return OutputFormatError(absl::InvalidArgumentError(
          absl::StrCat("the output '", name, "' is not a regular file: choose another name")));
    }
  }
  const absl::StatusOr<OutputKind> kind = OutputKindOf(name);
  if (!kind.ok()) return OutputFormatError(kind.status());
  job->kind = *kind;
  TW_RETURN_IF_ERROR(ResolveFormat(*kind, job));
  absl::StatusOr<std::optional<Size>> resampled =
      ResampledSize(request, job->reader->info().size, job->written);
  if (!resampled.ok()) return OutputFormatError(resampled.status());
  job->resampled = *std::move(resampled);
  CanvasFormat published = job->written;
  published.size = job->published_size();
  TW_RETURN_IF_ERROR(OutputFormatError(CheckOutputFormat(*kind, published)));
  TW_RETURN_IF_ERROR(OutputFormatError(CheckOutputFormat(OutputKind::kTiff, job->written)));
  return OutputFormatError(ResolveEncoding(job, notes));
}

// Whether what is read from the output is not what was written.
bool LosesInformation(const ResolvedJob& job) {
  const bool deep_zoom = job.kind == OutputKind::kDzi || job.kind == OutputKind::kSzi;
  const bool alpha = job.format.channels == 2 || job.format.channels == 4;
  return job.kind == OutputKind::kJpeg || job.kind == OutputKind::kWebp ||
         (job.kind == OutputKind::kTiff && job.encoding.compression == Compression::kJpeg) ||
         (deep_zoom && !alpha && !job.written.labels && job.format.sample == SampleType::kU8);
}

// That the output takes on its disk: pixels that are stored as they are. 0 of all else.
uint64_t CertainBytes(const ResolvedJob& job) {
  const bool packed = job.encoding.compression != Compression::kNone;
  if (!packed && (job.kind == OutputKind::kTiff || job.kind == OutputKind::kNpy)) {
    return job.summary.disk_bytes();
  }
  if (job.kind != OutputKind::kNpy) return 0;
  return static_cast<uint64_t>(
      NpyFileBytes(job.published_size(), job.format.channels, job.format.sample));
}

// Tells how much room the disk of the output has. RESOURCE_EXHAUSTED (DISK_FULL) if that is too
// little for pixels as they are; what a codec leaves of them is not known before.
absl::Status CheckRoom(const ResolveContext& context, ResolvedJob* job) {
  const std::string folder = job->output_path.empty()
                                 ? context.downloads
                                 : std::filesystem::path(job->output_path).parent_path().string();
  const std::optional<uint64_t> free_bytes = FreeBytes(folder);
  if (!free_bytes) return absl::OkStatus();  // creating the output will tell
  job->summary.set_disk_free_bytes(*free_bytes);
  const uint64_t needed = CertainBytes(*job);
  if (needed <= *free_bytes) return absl::OkStatus();
  return WithReason(absl::ResourceExhaustedError(absl::StrCat(
                        "the output needs ", needed, " bytes, and ", *free_bytes, " are free in '",
                        folder, "': make room there, compress it, or choose another output")),
                    "DISK_FULL");
}

}  // namespace

int ResolvedStage::tile_channels() const {
  int channels = input.channels;
  for (const ImageInfo& info : beside) channels += info.channels;
  return channels;
}

absl::StatusOr<ResolvedJob> ResolveJob(const v1::RenderRequest& request,
                                       const ResolveContext& context) {
  TW_RETURN_IF_ERROR(CheckRequest(request));
  ResolvedJob job;
  job.request = request;
  job.number = request.stages_size() - 1;
  TW_RETURN_IF_ERROR(FindModel(request, context.models, &job));
  const bool masked = !request.mask().empty();
  job.anywhere = masked || TakesMore(*job.model);
  TW_ASSIGN_OR_RETURN(
      job.reader, OpenInput(request.input(), request.input_page(),
                            request.has_input_facts() ? &request.input_facts() : nullptr, context,
                            &job.input_facts, &job.uploads));
  job.input_pages = job.reader->info().pages;
  if (IsUpload(request.input())) {
    TW_ASSIGN_OR_RETURN(const KeptUpload upload, context.uploads.Find(request.input()));
    job.input_pages = upload.pages;
  }
  std::vector<std::string> notes;
  job.input = job.anywhere ? InfoOfCopy(job.reader->info()) : job.reader->info();
  for (int number = 0; number < job.number; ++number) {
    ResolvedStage& stage = job.before.emplace_back();
    stage.number = number;
    stage.input = job.input;
    TW_RETURN_IF_ERROR(ResolveInnerStage(request, context.models, &stage, &notes));
    job.input = MadeBy(stage);
  }
  if (masked) {
    TW_ASSIGN_OR_RETURN(job.mask_reader,
                        OpenInput(request.mask(), /*page=*/0,
                                  request.has_mask_facts() ? &request.mask_facts() : nullptr,
                                  context, &job.mask_facts, &job.uploads));
    TW_RETURN_IF_ERROR(ResolveMask(&job));
  }
  if (!request.previous().empty()) {
    TW_ASSIGN_OR_RETURN(
        job.previous_reader,
        OpenInput(request.previous(), /*page=*/0,
                  request.has_previous_facts() ? &request.previous_facts() : nullptr, context,
                  &job.previous_facts, &job.uploads));
  }
  TW_RETURN_IF_ERROR(ResolveBeside(&job, &notes));

  TW_ASSIGN_OR_RETURN(const std::optional<Rect> region, RegionOfLast(request, job.before));
  TW_RETURN_IF_ERROR(PlanStage(request, region, &job, &notes));
  TW_RETURN_IF_ERROR(ResolveOutput(context, &job, &notes));
  TW_RETURN_IF_ERROR(ChooseTiles(&job));
  ChooseBefore(*job.wanted, &job);
  if (!masked) NoteSkipped(job, &notes);  // a mask has not been asked

  if (job.resampled.has_value()) {
    notes.push_back(absl::StrCat("the picture of ", ToString(job.format.size),
                                 " pixels is resampled to ", ToString(*job.resampled)));
  }
  if (masked && LosesInformation(job)) {
    notes.push_back(absl::StrCat(
        "the output's format loses information: what the mask does not mark is the input's only ",
        CopiesTiles(job) ? "in blocks that are copied" : "until it is compressed"));
  }
  if (job.decided) {
    notes.push_back(absl::StrCat("each pixel becomes the number of the greatest of its ",
                                 job.format.channels, " values, a label from 0 to ",
                                 job.format.channels - 1));
  }
  TW_RETURN_IF_ERROR(DescribeStage(request, &job, &notes));
  // Of a mask that the model does not take, too.
  if (masked && FindInput(job.model->model.manifest(), kMaskInput) == nullptr) {
    job.memory.input +=
        ReaderMemory(InfoOfCopy(job.mask_reader->info()), job.plan->compute_shape().height);
  }
  FillSummary(job, notes, &job.summary);
  TW_RETURN_IF_ERROR(CheckRoom(context, &job));
  return job;
}

}  // namespace tilewright
