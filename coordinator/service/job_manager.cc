#include "coordinator/service/job_manager.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <fstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "coordinator/image/decode_process.h"
#include "coordinator/image/png.h"
#include "coordinator/jobs/chosen_stages.h"
#include "coordinator/jobs/job_run.h"
#include "coordinator/jobs/missing_tiles.h"
#include "coordinator/jobs/prepare_job.h"
#include "coordinator/jobs/resolve_stage.h"
#include "coordinator/jobs/state_folder.h"
#include "coordinator/service/end_reason.h"
#include "coordinator/service/inner_stages.h"
#include "coordinator/service/pagination.h"
#include "proto/base/status_macros.h"
#include "proto/wire/checksum.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

constexpr size_t kNonceBytesMin = 16;
constexpr size_t kNonceBytesMax = 64;

// Says whose stage it is.
void Address(const JobRecord::Identity& job, ResolvedStage* stage) {
  stage->stage.set_job(job.name);
  stage->spec.name = NameOfStage(job.name, stage->number);
  stage->spec.tenant = job.tenant;
  if (stage->number > 0) stage->spec.job_of_stage = job.name;
}

absl::Status StillPreparing(const std::string& job) {
  return WithReason(
      absl::FailedPreconditionError(absl::StrCat(
          job, " is still being prepared, as its events say: cancel it, or try again later")),
      "JOB_PREPARING");
}

bool IsDownload(const JobRecord& job) {
  return !job.identity().output_path.empty() && job.identity().owns_output;
}

}  // namespace

JobManager::JobManager(const JobManagerOptions& options, const ModelRepository& models,
                       const Roots& roots, Dispatcher& dispatcher, const Clock& clock)
    : options_(options),
      models_(models),
      roots_(roots),
      dispatcher_(dispatcher),
      clock_(clock),
      encoders_(options.encoder_threads, options.encoder_bytes_max),
      uploads_(options.uploads, options.upload_limits,
               [&options = options_](const UploadDecoding& decoding) {
                 return RunDecodeProcess({options.export_program, decoding.from, decoding.to,
                                          options.image_limits, decoding.bytes_max, decoding.page});
               }),
      store_(JobStoreOptions{options.ended_jobs_max, options.open_jobs_max,
                             [](const JobRecord& job) {
                               if (!IsDownload(job)) return;
                               const std::string partial = job.partial_output();
                               unlink(job.identity().output_path.c_str());
                               if (partial.empty()) return;
                               unlink(partial.c_str());
                               unlink(MissingTilesPathOf(partial).c_str());
                             }}),
      watches_([this](const JobRecord& job) { return Snapshot(job); }),
      preparations_(options.preparing_threads, options.open_jobs_max) {}

ResolveContext JobManager::Context() const {
  return ResolveContext{models_, roots_, uploads_, options_.image_limits, options_.downloads};
}

absl::StatusOr<v1::Job> JobManager::DryRun(const v1::RenderRequest& request) const {
  TW_ASSIGN_OR_RETURN(ResolvedJob resolved, ResolveJob(request, Context()));
  const Interrupt limit(options_.dry_run_max);
  const absl::Status read = PrepareFigures({options_.scratch, {&limit, {}}}, &resolved);
  if (absl::IsDeadlineExceeded(read)) {
    resolved.summary.add_notes(absl::StrCat(
        "which tiles the mask skips was not looked up: ", read.message(), "; the job will do so"));
  } else if (!read.ok()) {
    return read;
  }
  v1::Job job;
  *job.mutable_request() = request;
  *job.mutable_plan() = resolved.summary;
  job.set_exactness(resolved.exactness);
  for (const MatchView& match : MatchStages(dispatcher_, resolved)) {
    v1::WorkerMatch* wire = job.mutable_plan()->add_matches();
    wire->set_worker(match.worker);
    wire->set_eligible(match.eligible);
    wire->set_reason(match.reason);
  }
  return job;
}

absl::StatusOr<std::shared_ptr<JobRecord>> JobManager::Start(const Principal& principal,
                                                             const v1::RenderRequest& request) {
  TW_ASSIGN_OR_RETURN(ResolvedJob resolved, ResolveJob(request, Context()));
  const std::string id = RandomId();
  JobRecord::Identity identity;
  identity.name = absl::StrCat("jobs/", id);
  identity.created = absl::FormatTime(absl::RFC3339_sec, absl::Now(), absl::UTCTimeZone());
  identity.submitted = clock_.Now();
  identity.tenant = principal.tenant;
  identity.owns_output = resolved.output_path.empty();
  identity.output_path = identity.owns_output
                             ? absl::StrCat(options_.downloads, "/", id, resolved.output_extension)
                             : resolved.output_path;
  Address(identity, &resolved);
  for (ResolvedStage& stage : resolved.before) Address(identity, &stage);

  auto record =
      std::make_shared<JobRecord>(identity, request, resolved.summary, resolved.exactness);
  record->SetSkipped(SkippedTiles(resolved));
  record->set_listener([this] { watches_.Wake(); });
  JobRun::Options run_options;
  run_options.output_path = identity.output_path;
  run_options.export_program = options_.export_program;
  run_options.scratch = options_.scratch;
  run_options.publishing = options_.publishing;
  run_options.encoders = &encoders_;
  run_options.now = [this] { return clock_.Now(); };
  run_options.checkpoint_interval = options_.checkpoint_interval;
  run_options.view = [this, name = identity.name] { return dispatcher_.ViewStages(name); };
  if (!resolved.uploads.empty()) {
    run_options.on_ended = [this, uploads = resolved.uploads] {
      for (const std::string& upload : uploads) uploads_.Remove(upload);
    };
  }
  TW_ASSIGN_OR_RETURN(ClaimedOutput claimed, JobRun::Claim(resolved, run_options));
  spdlog::info("{} asked for by {} ({}): {} -> {}", identity.name, principal.name, principal.peer,
               request.input(), request.output());
  JobBeginning beginning{std::move(resolved), record, std::move(run_options), std::move(claimed)};
  TW_RETURN_IF_ERROR(TakesLong(beginning) ? BeginLater(std::move(beginning))
                                          : Begin(std::move(beginning), dispatcher_, {}));
  return record;
}

absl::Status JobManager::BeginLater(JobBeginning beginning) {
  TW_RETURN_IF_ERROR(Admit(dispatcher_, beginning.job));
  const std::shared_ptr<JobRecord> record = beginning.record;
  const auto tell = [this, record](const std::string& text) {
    spdlog::info("{}: {}", record->name(), text);
    record->AddEvent({record->name(), "preparing", std::nullopt, "", text}, clock_.Now());
  };
  if (preparations_.Busy()) tell("Waits until other jobs have read their images.");
  JobView last;
  last.priority = beginning.job.request.priority();
  const auto on_ended = beginning.options.on_ended;
  // Moved out of it by the work; a std::function wants to be copied.
  const auto held = std::make_shared<JobBeginning>(std::move(beginning));
  return preparations_.Add(
      record->name(),
      [this, held, tell](const Interrupt& interrupt) {
        return Begin(std::move(*held), dispatcher_, {&interrupt, tell});
      },
      [this, record, on_ended, last](const absl::Status& worked, const absl::Status& asked) {
        if (worked.ok()) {
          if (!asked.ok()) dispatcher_.Stop(record->name(), asked);
          return;
        }
        spdlog::warn("{} ended: {}", record->name(), worked.ToString());
        if (on_ended) on_ended();
        record->SetEnded(worked, last, /*pixel_hash=*/"", clock_.Now());
      });
}

void JobManager::StopPreparing() { preparations_.Stop(ShuttingDown()); }

absl::StatusOr<v1::Job> JobManager::Create(const Principal& principal,
                                           const v1::CreateJobRequest& request) {
  if (request.dry_run()) return DryRun(request.render());
  TW_ASSIGN_OR_RETURN(
      std::shared_ptr<JobRecord> job,
      store_.Reserve(request.request_id(), HexDigest(request.render().SerializeAsString())));
  if (job == nullptr) {
    absl::StatusOr<std::shared_ptr<JobRecord>> started = Start(principal, request.render());
    if (!started.ok()) {
      spdlog::info("submit by {} refused: {}", principal.peer, started.status().ToString());
      store_.Release(request.request_id());
      return started.status();
    }
    job = *std::move(started);
    store_.Commit(request.request_id(), job);
  }
  return Snapshot(*job);
}

absl::StatusOr<std::shared_ptr<JobRecord>> JobManager::Find(const std::string& name) const {
  return store_.Find(name);
}

absl::StatusOr<v1::ListJobsResponse> JobManager::List(const v1::ListJobsRequest& request) const {
  TW_ASSIGN_OR_RETURN(const int page_size, PageSize(request.page_size()));
  TW_ASSIGN_OR_RETURN(const JobStore::Page page, store_.List(page_size, request.page_token()));
  v1::ListJobsResponse response;
  for (const auto& job : page.jobs) *response.add_jobs() = Snapshot(*job, false);
  response.set_next_page_token(page.next_token);
  return response;
}

v1::Job JobManager::Snapshot(const JobRecord& job, bool with_events) const {
  std::optional<JobView> view;
  if (!job.ended()) view = dispatcher_.ViewJob(job.name());
  return job.Snapshot(view.has_value() ? &*view : nullptr, clock_.Now(), with_events);
}

absl::Status JobManager::Cancel(const Principal& principal, const JobRecord& job) {
  if (job.ended()) return absl::OkStatus();
  spdlog::info("{} cancelled by {} ({})", job.name(), principal.name, principal.peer);
  const absl::Status why =
      WithReason(absl::CancelledError("the job was cancelled by a user"), "CANCELLED_BY_USER");
  if (!preparations_.End(job.name(), why)) dispatcher_.Stop(job.name(), why);
  return absl::OkStatus();
}

absl::StatusOr<v1::Job> JobManager::Operate(
    const Principal& principal, const std::string& name, const std::string& done,
    const std::function<absl::Status(Dispatcher&, const std::string&)>& operation) {
  TW_ASSIGN_OR_RETURN(const std::shared_ptr<JobRecord> job, store_.Find(name));
  if (preparations_.Has(job->name())) return StillPreparing(job->name());
  TW_RETURN_IF_ERROR(operation(dispatcher_, job->name()));
  spdlog::info("{} {} by {} ({})", job->name(), done, principal.name, principal.peer);
  watches_.Wake();
  return Snapshot(*job);
}

absl::StatusOr<v1::GetPreviewResponse> JobManager::PreviewOf(const std::string& name) const {
  TW_ASSIGN_OR_RETURN(const std::shared_ptr<JobRecord> job, store_.Find(name));
  const std::shared_ptr<const LivePreview> live = job->preview();
  if (live == nullptr && !job->ended()) return StillPreparing(name);
  if (live == nullptr) {
    return WithReason(absl::FailedPreconditionError(absl::StrCat(
                          name, " has ended: there is a preview only while a job runs")),
                      "JOB_ENDED");
  }
  const Preview preview = live->Copy();
  v1::GetPreviewResponse response;
  TW_ASSIGN_OR_RETURN(*response.mutable_png(), EncodePng(preview.size(), preview.pixels()));
  response.set_finished(preview.finished());
  return response;
}

v1::ProbePathsResponse JobManager::Probe(const v1::ProbePathsRequest& request) const {
  v1::ProbePathsResponse response;
  const absl::StatusOr<std::string> input = roots_.Resolve(request.input());
  if (!input.ok()) {
    response.set_text(std::string(input.status().message()));
  } else {
    const absl::StatusOr<v1::FileFacts> facts = StatFile(*input);
    response.set_input_shared(facts.ok() && SameFile(*facts, request.input_facts()));
    if (!response.input_shared()) {
      response.set_text(facts.ok() ? absl::StrCat("'", *input, "' is another file here")
                                   : std::string(facts.status().message()));
    }
  }
  if (request.nonce_path().empty()) return response;
  std::string why;
  const absl::StatusOr<std::string> nonce_path = roots_.Resolve(request.nonce_path());
  if (!nonce_path.ok()) {
    why = std::string(nonce_path.status().message());
  } else if (request.nonce().size() < kNonceBytesMin || request.nonce().size() > kNonceBytesMax) {
    why = absl::StrCat("a nonce must hold ", kNonceBytesMin, " to ", kNonceBytesMax, " bytes");
  } else {
    std::ifstream file(*nonce_path, std::ios::binary);
    std::string found(kNonceBytesMax + 1, '\0');
    file.read(found.data(), static_cast<std::streamsize>(found.size()));
    found.resize(static_cast<size_t>(file.gcount()));
    response.set_output_shared(found == request.nonce());
    if (!response.output_shared()) why = "the output's folder is another one here";
  }
  if (!why.empty()) {
    response.set_text(absl::StrCat(response.text(), response.text().empty() ? "" : "; ", why));
  }
  return response;
}

absl::StatusOr<std::string> JobManager::OutputOf(const std::string& name) const {
  TW_ASSIGN_OR_RETURN(const std::shared_ptr<JobRecord> job, store_.Find(name));
  if (job->state() == v1::Job::STATE_SUCCEEDED && IsDownload(*job)) {
    return job->identity().output_path;
  }
  if (IsDownload(*job) && job->ended() && !job->partial_output().empty()) {
    return job->partial_output();
  }
  return WithReason(
      absl::FailedPreconditionError(
          IsDownload(*job)
              ? absl::StrCat(name, " has not succeeded: there is nothing to download")
              : absl::StrCat(name, " wrote its output to ", job->identity().output_path,
                             " on the coordinator's machine: only jobs submitted with "
                             "a 'download:' output can be downloaded")),
      "NO_DOWNLOAD");
}

}  // namespace tilewright
