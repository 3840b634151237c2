// Jobs from submit to end, free of gRPC calls: what RenderService answers. Thread-safe. Calls may
// wait for disks, but none reads images, except for a dry run.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_JOB_MANAGER_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_JOB_MANAGER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/image/encoder_pool.h"
#include "coordinator/image/image_reader.h"
#include "coordinator/jobs/job_record.h"
#include "coordinator/jobs/job_store.h"
#include "coordinator/jobs/resolve_job.h"
#include "coordinator/jobs/roots.h"
#include "coordinator/jobs/uploads.h"
#include "coordinator/models/repository.h"
#include "coordinator/service/clock.h"
#include "coordinator/service/dispatcher.h"
#include "coordinator/service/job_beginning.h"
#include "coordinator/service/preparations.h"
#include "coordinator/service/principal.h"
#include "coordinator/service/watch_pump.h"
#include "tilewright/v1/render_service.pb.h"

namespace tilewright {

struct JobManagerOptions {
  ImageLimits image_limits;
  UploadLimits upload_limits;
  std::string uploads;         // folder, exists
  std::string downloads;       // folder, exists
  std::string export_program;  // see OutputOptions and DecodeCommand
  std::string scratch;         // folder of files that last as long as a job
  std::string publishing;      // folder of PublishNotes
  int encoder_threads = 2;     // compress blocks of all jobs
  // Of blocks that wait for them.
  int64_t encoder_bytes_max = int64_t{32} << 20;
  absl::Duration checkpoint_interval;  // as of JobRun; zero: no checkpoints
  int preparing_threads = 2;           // jobs that are prepared at a time
  // A dry run that wants to read a mask for longer answers without.
  absl::Duration dry_run_max = absl::Seconds(15);
  int open_jobs_max = 256;
  int ended_jobs_max = 1000;
};

class JobManager {
 public:
  // All references must outlive the manager.
  JobManager(const JobManagerOptions& options, const ModelRepository& models, const Roots& roots,
             Dispatcher& dispatcher, const Clock& clock);
  JobManager(const JobManager&) = delete;
  JobManager& operator=(const JobManager&) = delete;

  // Errors as of ResolveJob, JobRun::Claim, JobStore::Reserve and Begin. A job whose beginning
  // takes long is taken, and QUEUED, before it begins: then the error of that is the job's.
  absl::StatusOr<v1::Job> Create(const Principal& principal, const v1::CreateJobRequest& request);
  // NOT_FOUND (UNKNOWN_JOB).
  absl::StatusOr<std::shared_ptr<JobRecord>> Find(const std::string& name) const;
  absl::StatusOr<v1::ListJobsResponse> List(const v1::ListJobsRequest& request) const;
  v1::Job Snapshot(const JobRecord& job, bool with_events = true) const;
  // Ends all jobs that are being prepared, and takes no more of them.
  void StopPreparing();
  // Begins to end the job; `watches` tells when it has ended.
  absl::Status Cancel(const Principal& principal, const JobRecord& job);
  // Runs one of the dispatcher's operations on the job named, and gives the job as it stands after
  // it. NOT_FOUND (UNKNOWN_JOB), FAILED_PRECONDITION (JOB_PREPARING), and the operation's errors.
  // `done` is for the log: "paused".
  absl::StatusOr<v1::Job> Operate(
      const Principal& principal, const std::string& name, const std::string& done,
      const std::function<absl::Status(Dispatcher&, const std::string&)>& operation);
  // What is finished of a job's output. NOT_FOUND (UNKNOWN_JOB), FAILED_PRECONDITION (JOB_ENDED,
  // JOB_PREPARING).
  absl::StatusOr<v1::GetPreviewResponse> PreviewOf(const std::string& name) const;
  v1::ProbePathsResponse Probe(const v1::ProbePathsRequest& request) const;
  // The file that Download sends: the output, or what keep_partial left of it.
  // FAILED_PRECONDITION (NO_DOWNLOAD) if the job's output is no download or is not there.
  absl::StatusOr<std::string> OutputOf(const std::string& name) const;

  Uploads& uploads() { return uploads_; }
  WatchPump& watches() { return watches_; }

 private:
  absl::StatusOr<v1::Job> DryRun(const v1::RenderRequest& request) const;
  absl::StatusOr<std::shared_ptr<JobRecord>> Start(const Principal& principal,
                                                   const v1::RenderRequest& request);
  // Begins what takes long, on a thread of preparations_.
  absl::Status BeginLater(JobBeginning beginning);
  ResolveContext Context() const;

  const JobManagerOptions options_;
  const ModelRepository& models_;
  const Roots& roots_;
  Dispatcher& dispatcher_;
  const Clock& clock_;
  EncoderPool encoders_;
  Uploads uploads_;
  JobStore store_;
  WatchPump watches_;
  Preparations preparations_;  // the last, since it uses the rest
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_JOB_MANAGER_H_
