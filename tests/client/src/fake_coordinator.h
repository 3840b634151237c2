// A coordinator that renders nothing: it answers over real gRPC on loopback what a test scripts,
// keeps what it was sent, and fails on demand. Thread-safe.

#ifndef TILEWRIGHT_TESTS_CLIENT_SRC_FAKE_COORDINATOR_H_
#define TILEWRIGHT_TESTS_CLIENT_SRC_FAKE_COORDINATOR_H_

#include <grpcpp/server.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "tilewright/v1/model_service.grpc.pb.h"
#include "tilewright/v1/pool_service.grpc.pb.h"
#include "tilewright/v1/render_service.grpc.pb.h"

namespace tilewright {

// One WatchJob stream: these jobs, then this end. While `hold` the stream stays open until the job
// is cancelled, the client leaves, or the server stops.
struct FakeWatch {
  std::vector<v1::Job> jobs = {};
  grpc::Status end = {};
  bool hold = false;
};

// How the fake behaves. Set before the call that it concerns.
struct FakeScript {
  bool share_input = true;   // say that the input is shared, if the facts are those of the file
  bool share_output = true;  // say that the output is shared, if the nonce reads back
  std::string probe_text = {};
  // CreateJob answers UNAVAILABLE this often, after it has made the job: the answer got lost.
  int lost_creates = 0;
  grpc::Status create_status = {};  // of every CreateJob
  // CreateJob answers RESOURCE_EXHAUSTED (TOO_MANY_JOBS) while so many jobs have not been seen to
  // end by a watch; 0: never.
  int open_jobs_max = 0;
  uint32_t input_pages = 0;         // of every planned input
  bool mask_wanted = false;         // CreateJob answers INVALID_ARGUMENT (MASK_MISSING) without one
  bool watch_when_crowded = false;  // watches tell nothing before a CreateJob was refused for that
  grpc::Status upload_status = {};  // at the first message of an upload
  std::vector<FakeWatch> watches = {};  // one after the other; the last one again and again
  std::string output = {};              // what Download sends
  int broken_downloads = 0;    // downloads that break with UNAVAILABLE after the first piece
  uint64_t missing_bytes = 0;  // announced, but never sent
  int job_count = 0;           // jobs in ListJobs
  bool hang = false;           // GetJob answers only when the client has left
  bool hang_cancel = false;    // the same of CancelJob
  int lost_operations = 0;     // operations that are done, but answered UNAVAILABLE
  grpc::Status operation_status = {};      // of every operation
  std::function<void()> on_download = {};  // runs before the first piece
  std::vector<v1::WorkerInfo> workers = {};
  std::vector<v1::Model> models = {};
};

// What the fake was sent.
struct FakeLog {
  int calls = 0;  // of any kind
  int creates = 0;
  int crowded_creates = 0;  // of them: refused because of open_jobs_max
  int ended_jobs = 0;       // told to watches
  int watches = 0;
  int cancels = 0;
  int lists = 0;
  int gets = 0;
  std::vector<std::string> operations;     // "PauseJob jobs/a", "DrainWorker w now"
  std::vector<v1::CreateJobRequest> jobs;  // one per job made
  std::vector<v1::ProbePathsRequest> probes;
  std::vector<std::string> uploads;  // bytes, in order
  std::vector<std::string> upload_names;
  std::vector<uint32_t> upload_pages;
};

class FakeCoordinator final : public v1::RenderService::Service {
 public:
  FakeCoordinator();
  ~FakeCoordinator() override;

  // HOST:PORT.
  std::string address() const;

  void SetScript(FakeScript script) ABSL_LOCKS_EXCLUDED(mutex_);
  FakeLog log() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends all streams and connections; Start serves the same port again.
  void Stop();
  void Start();

 private:
  class FakePool;
  class FakeModels;

  // Notes an operation; its status.
  grpc::Status Operate(const std::string& text);
  FakeScript Seen(std::function<void(FakeLog&)> note);

  grpc::Status CreateJob(grpc::ServerContext*, const v1::CreateJobRequest*,
                         v1::CreateJobResponse*) override;
  grpc::Status GetJob(grpc::ServerContext*, const v1::GetJobRequest*, v1::GetJobResponse*) override;
  grpc::Status ListJobs(grpc::ServerContext*, const v1::ListJobsRequest*,
                        v1::ListJobsResponse*) override;
  grpc::Status WatchJob(grpc::ServerContext*, const v1::WatchJobRequest*,
                        grpc::ServerWriter<v1::WatchJobResponse>*) override;
  grpc::Status CancelJob(grpc::ServerContext*, const v1::CancelJobRequest*,
                         v1::CancelJobResponse*) override;
  grpc::Status PauseJob(grpc::ServerContext*, const v1::PauseJobRequest*,
                        v1::PauseJobResponse*) override;
  grpc::Status ResumeJob(grpc::ServerContext*, const v1::ResumeJobRequest*,
                         v1::ResumeJobResponse*) override;
  grpc::Status SetJobPriority(grpc::ServerContext*, const v1::SetJobPriorityRequest*,
                              v1::SetJobPriorityResponse*) override;
  grpc::Status RetryFailedTiles(grpc::ServerContext*, const v1::RetryFailedTilesRequest*,
                                v1::RetryFailedTilesResponse*) override;
  grpc::Status AcceptHoles(grpc::ServerContext*, const v1::AcceptHolesRequest*,
                           v1::AcceptHolesResponse*) override;
  grpc::Status GetPreview(grpc::ServerContext*, const v1::GetPreviewRequest*,
                          v1::GetPreviewResponse*) override;
  grpc::Status ProbePaths(grpc::ServerContext*, const v1::ProbePathsRequest*,
                          v1::ProbePathsResponse*) override;
  grpc::Status Upload(grpc::ServerContext*, grpc::ServerReader<v1::UploadRequest>*,
                      v1::UploadResponse*) override;
  grpc::Status Download(grpc::ServerContext*, const v1::DownloadRequest*,
                        grpc::ServerWriter<v1::DownloadResponse>*) override;

  mutable absl::Mutex mutex_;
  FakeScript script_ ABSL_GUARDED_BY(mutex_);
  FakeLog log_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  int port_ = 0;
  std::unique_ptr<FakePool> pool_;
  std::unique_ptr<FakeModels> models_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_CLIENT_SRC_FAKE_COORDINATOR_H_
