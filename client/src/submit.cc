// Client::Submit, DryRun, Finish and Download: how a job's files travel.

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/src/connection.h"
#include "client/src/convert.h"
#include "client/src/files.h"
#include "client/src/retry.h"
#include "client/src/transfer.h"
#include "proto/base/status_macros.h"
#include "proto/wire/file_uri.h"
#include "proto/wire/random_bytes.h"
#include "proto/wire/status_details.h"
#include "tilewright/client.h"

namespace tilewright {
namespace {

constexpr size_t kRequestIdBytesMax = 64;

absl::Status CheckRequestId(absl::string_view id) {
  bool good = !id.empty() && id.size() <= kRequestIdBytesMax;
  for (const char c : id) good = good && (absl::ascii_isalnum(c) || c == '_' || c == '-');
  if (good) return absl::OkStatus();
  return WithReason(absl::InvalidArgumentError(absl::StrCat(
                        "request id '", id, "' must be 1 to 64 of the characters A-Za-z0-9_-")),
                    "BAD_REQUEST_ID");
}

using ProbePaths =
    absl::FunctionRef<absl::Status(const v1::ProbePathsRequest&, v1::ProbePathsResponse*)>;

// An image as the coordinator finds it.
struct SentImage {
  std::string uri;
  std::optional<v1::FileFacts> facts;  // absent: it was uploaded
};

// Sends what lies beside the input, uploaded if the coordinator does not see it; `what` is what
// notes call it.
absl::StatusOr<SentImage> SendBeside(absl::string_view what, const std::string& image,
                                     ProbePaths probe_paths, v1::RenderService::Stub& transfer,
                                     Submission& submission) {
  TW_ASSIGN_OR_RETURN(const std::string path, AbsolutePath(image));
  TW_ASSIGN_OR_RETURN(const v1::FileFacts facts, InspectInput(path));
  v1::ProbePathsRequest probe;
  probe.set_input(path);
  *probe.mutable_input_facts() = facts;
  v1::ProbePathsResponse shared;
  TW_RETURN_IF_ERROR(probe_paths(probe, &shared));
  if (shared.input_shared()) return SentImage{FileUri(path), facts};
  TW_ASSIGN_OR_RETURN(std::string uri, UploadFile(transfer, path, facts.size(), /*page=*/0));
  submission.notes.push_back(absl::StrCat("the coordinator does not see the ", what, ": ",
                                          facts.size(), " bytes uploaded"));
  return SentImage{std::move(uri), std::nullopt};
}

}  // namespace

absl::StatusOr<Submission> Client::Submit(const RenderRequest& request) {
  return Create(request, /*dry_run=*/false);
}

absl::StatusOr<Submission> Client::DryRun(const RenderRequest& request) {
  return Create(request, /*dry_run=*/true);
}

absl::StatusOr<Submission> Client::Create(const RenderRequest& request, bool dry_run) {
  v1::CreateJobRequest create;
  create.set_request_id(request.request_id.empty() ? RandomHex(16) : request.request_id);
  create.set_dry_run(dry_run);
  TW_RETURN_IF_ERROR(CheckRequestId(create.request_id()));

  TW_ASSIGN_OR_RETURN(const std::string input, AbsolutePath(request.input));
  TW_ASSIGN_OR_RETURN(const v1::FileFacts facts, InspectInput(input));
  Submission submission;
  submission.overwrite = request.overwrite;
  TW_ASSIGN_OR_RETURN(submission.output, AbsolutePath(request.output));
  TW_RETURN_IF_ERROR(CheckOutput(submission.output, request.overwrite, facts));

  const auto probe_paths = [this](const v1::ProbePathsRequest& probe,
                                  v1::ProbePathsResponse* answer) {
    return connection_->Call([&](grpc::ClientContext& context) {
      return connection_->render->ProbePaths(&context, probe, answer);
    });
  };
  v1::ProbePathsResponse shared;
  {
    TW_ASSIGN_OR_RETURN(const NonceFile nonce, NonceFile::MakeBeside(submission.output));
    v1::ProbePathsRequest probe;
    probe.set_input(input);
    *probe.mutable_input_facts() = facts;
    probe.set_nonce_path(nonce.path());
    probe.set_nonce(nonce.nonce());
    TW_RETURN_IF_ERROR(probe_paths(probe, &shared));
  }

  v1::RenderRequest& render = *create.mutable_render();
  TW_ASSIGN_OR_RETURN(render, RequestToProto(request));
  if (shared.input_shared()) {
    render.set_input(FileUri(input));
    *render.mutable_input_facts() = facts;
  } else {
    TW_ASSIGN_OR_RETURN(*render.mutable_input(),
                        UploadFile(*connection_->transfer, input, facts.size(), request.page));
    submission.uploaded = true;
    submission.notes.push_back(
        absl::StrCat("the coordinator does not see the input: ", facts.size(), " bytes uploaded"));
  }
  if (!request.mask.empty()) {
    TW_ASSIGN_OR_RETURN(SentImage mask, SendBeside("mask", request.mask, probe_paths,
                                                   *connection_->transfer, submission));
    render.set_mask(std::move(mask.uri));
    if (mask.facts.has_value()) *render.mutable_mask_facts() = *mask.facts;
  }
  if (!request.previous.empty()) {
    TW_ASSIGN_OR_RETURN(SentImage previous,
                        SendBeside("previous frame", request.previous, probe_paths,
                                   *connection_->transfer, submission));
    render.set_previous(std::move(previous.uri));
    if (previous.facts.has_value()) *render.mutable_previous_facts() = *previous.facts;
  }
  if (shared.output_shared()) {
    render.set_output(FileUri(submission.output));
  } else {
    render.set_output(
        absl::StrCat("download:", std::filesystem::path(submission.output).extension().string()));
    submission.downloads = true;
    submission.notes.push_back(
        "the coordinator does not see the output's folder: the result will be downloaded");
  }
  if (!submission.notes.empty() && !shared.text().empty()) {
    submission.notes.push_back(shared.text());
  }

  v1::CreateJobResponse response;
  const ClientOptions& options = connection_->options;
  TW_RETURN_IF_ERROR(
      CallWithRetry(options.call_timeout, options.retry_for, [&](grpc::ClientContext& context) {
        return connection_->render->CreateJob(&context, create, &response);
      }));
  submission.job = JobFromProto(response.job());
  if (dry_run) submission.job.state = JobState::kPlanned;
  return submission;
}

absl::StatusOr<Job> Client::Finish(const Submission& submission,
                                   absl::FunctionRef<bool(const Job&)> update) {
  TW_ASSIGN_OR_RETURN(Job job, Watch(submission.job.name, [&update](const Job& now) {
                        update(now);
                        return true;
                      }));
  if (job.state == JobState::kSucceeded && submission.downloads) {
    TW_RETURN_IF_ERROR(Download(job.name, submission.output, submission.overwrite));
  }
  if (submission.downloads) job.output = submission.output;
  return job;
}

absl::Status Client::Download(absl::string_view job, absl::string_view output, bool overwrite) {
  TW_ASSIGN_OR_RETURN(const std::string path, AbsolutePath(output));
  TW_RETURN_IF_ERROR(CheckOutput(path, overwrite, v1::FileFacts()));
  const std::string name = JobName(job);
  Backoff backoff(connection_->options.retry_for);
  for (;;) {
    absl::Status status;
    {
      TW_ASSIGN_OR_RETURN(PartialFile file, PartialFile::Create(path, overwrite));
      status = DownloadTo(*connection_->transfer, name, file);
      if (status.ok()) return file.Publish();
    }
    if (!absl::IsUnavailable(status) || !backoff.SleepBeforeNext()) {
      return Annotate(status, absl::StrCat("downloading '", path, "'"));
    }
  }
}

absl::StatusOr<JobPreview> Client::GetPreview(absl::string_view job) {
  v1::GetPreviewRequest request;
  request.set_name(JobName(job));
  v1::GetPreviewResponse response;
  TW_RETURN_IF_ERROR(connection_->Call([&](grpc::ClientContext& context) {
    return connection_->render->GetPreview(&context, request, &response);
  }));
  return JobPreview{std::move(*response.mutable_png()), response.finished()};
}

absl::StatusOr<double> Client::SavePreview(absl::string_view job, absl::string_view output,
                                           bool overwrite) {
  TW_ASSIGN_OR_RETURN(const std::string path, AbsolutePath(output));
  TW_RETURN_IF_ERROR(CheckOutput(path, overwrite, v1::FileFacts()));
  TW_ASSIGN_OR_RETURN(const JobPreview preview, GetPreview(job));
  TW_ASSIGN_OR_RETURN(PartialFile file, PartialFile::Create(path, overwrite));
  TW_RETURN_IF_ERROR(file.Append(preview.png));
  TW_RETURN_IF_ERROR(file.Publish());
  return preview.finished;
}

}  // namespace tilewright
