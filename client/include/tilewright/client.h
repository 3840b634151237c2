// A connection to a Tilewright coordinator: submit render jobs, watch them, look at workers and
// models. Blocking calls with deadlines. Thread-safe: any thread may call anything at any time.

#ifndef TILEWRIGHT_CLIENT_CLIENT_H_
#define TILEWRIGHT_CLIENT_CLIENT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tilewright/types.h"

namespace tilewright {

struct ClientOptions {
  std::string coordinator = "127.0.0.1:7878";  // HOST:PORT
  // Connect beyond this machine although connections are neither encrypted nor authenticated.
  bool insecure = false;
  absl::Duration connect_timeout = absl::Seconds(5);
  // One attempt of one call. Transfers take as long as they take, and submits of a job that has a
  // mask or a previous frame, or is continued, up to half an hour: these may be read before the
  // answer.
  absl::Duration call_timeout = absl::Seconds(30);
  // How long calls that may be repeated, and watches, try again while the coordinator is
  // UNAVAILABLE.
  absl::Duration retry_for = absl::Seconds(20);
};

// A submitted job and how its files travel.
struct Submission {
  Job job;
  std::string output;  // absolute path on this machine
  bool overwrite = false;
  bool uploaded = false;           // the coordinator did not see the input as this machine does
  bool downloads = false;          // Finish (or Download) must fetch the output
  std::vector<std::string> notes;  // why, for people
};

class Client {
 public:
  // Waits until the coordinator answers. Errors: UNAVAILABLE after connect_timeout;
  // INVALID_ARGUMENT for a malformed address; FAILED_PRECONDITION (INSECURE_ADDRESS) beyond
  // loopback without `insecure`.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(ClientOptions options);

  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Submits a job. The input is read by the coordinator in place if it sees the same file, else
  // uploaded; the output is written in place if it sees the same folder, else downloaded by Finish.
  // Refused before anything is sent: ALREADY_EXISTS (OUTPUT_EXISTS) without overwrite, NOT_FOUND
  // (INPUT_MISSING, OUTPUT_FOLDER_MISSING), PERMISSION_DENIED (OUTPUT_NOT_WRITABLE,
  // INPUT_NOT_READABLE), INVALID_ARGUMENT (INPUT_NOT_A_FILE, OUTPUT_NOT_A_FILE, OUTPUT_IS_INPUT).
  // All other errors are the coordinator's.
  absl::StatusOr<Submission> Submit(const RenderRequest& request);

  // Plans and checks as Submit does, and renders nothing. An input that is not shared is uploaded.
  absl::StatusOr<Submission> DryRun(const RenderRequest& request);

  // Watches the job to its end and, if it succeeded, fetches an output that must be downloaded. The
  // ended job is returned also when it failed or was cancelled. `update` as in Watch; its result is
  // not looked at.
  absl::StatusOr<Job> Finish(const Submission& submission,
                             absl::FunctionRef<bool(const Job&)> update);

  // Calls `update` with the job now and after every change (at most five a second), in this thread,
  // until the job has ended or `update` returns false; returns the last state seen. Connects again
  // when the connection breaks, within retry_for of the last news.
  absl::StatusOr<Job> Watch(absl::string_view job, absl::FunctionRef<bool(const Job&)> update);

  // Watch without a look at each change. DEADLINE_EXCEEDED if the job has not ended within
  // `timeout`; it goes on.
  absl::StatusOr<Job> Wait(absl::string_view job, absl::Duration timeout);

  // Jobs may be named jobs/ID or ID. NOT_FOUND if there is none of that name.
  absl::StatusOr<Job> Get(absl::string_view job);

  // Ends a job; one that has ended stays as it is. Returns its state after that.
  absl::StatusOr<Job> Cancel(absl::string_view job);

  // Operations on a job that has not ended, else FAILED_PRECONDITION (JOB_ENDED); each returns the
  // job as it stands after it, and does nothing if it was done before. NOT_FOUND (UNKNOWN_JOB).
  // Grants nothing more of the job until Resume; what runs may finish.
  absl::StatusOr<Job> Pause(absl::string_view job);
  absl::StatusOr<Job> Resume(absl::string_view job);
  // INVALID_ARGUMENT (BAD_PRIORITY) outside -5 to 5; RESOURCE_EXHAUSTED (QUOTA_EXCEEDED) above what
  // the job's tenant may have.
  absl::StatusOr<Job> SetPriority(absl::string_view job, int priority);
  // The decision on failed tiles: once more with nothing held against them, or left out.
  absl::StatusOr<Job> RetryFailedTiles(absl::string_view job);
  absl::StatusOr<Job> AcceptHoles(absl::string_view job);

  // Visits jobs, newest first, without events, fetching page after page until `visit` returns
  // false.
  absl::Status List(absl::FunctionRef<bool(const Job&)> visit);

  // Fetches the output of a succeeded job that was submitted for download, to `<output>.partial`,
  // then renames it. Without overwrite an existing output, or one that appears meanwhile, is
  // ALREADY_EXISTS and stays.
  absl::Status Download(absl::string_view job, absl::string_view output, bool overwrite);

  // A small picture of what is finished of a running job. FAILED_PRECONDITION (JOB_ENDED) of one
  // that has ended.
  absl::StatusOr<JobPreview> GetPreview(absl::string_view job);
  // The same into a file, published by rename; errors also as of Download. What is finished of the
  // output, 0 to 1.
  absl::StatusOr<double> SavePreview(absl::string_view job, absl::string_view output,
                                     bool overwrite);

  // All connected workers, by name.
  absl::StatusOr<std::vector<Worker>> ListWorkers();

  // Operations on a connected worker, else NOT_FOUND (UNKNOWN_WORKER); each returns the worker as
  // it stands after it, and does nothing if it was done before. Gives it nothing more until
  // ResumeWorker; `at_once` takes back what it computes, too.
  absl::StatusOr<Worker> DrainWorker(absl::string_view worker, bool at_once);
  absl::StatusOr<Worker> ResumeWorker(absl::string_view worker);
  // Forgets why it is kept from jobs: blocklists, counted failures, a quarantine.
  absl::StatusOr<Worker> ClearBlocklist(absl::string_view worker);

  // All models, by name, highest version first.
  absl::StatusOr<std::vector<Model>> ListModels();

 private:
  struct Connection;
  explicit Client(std::unique_ptr<Connection> connection);

  absl::StatusOr<Submission> Create(const RenderRequest& request, bool dry_run);
  absl::StatusOr<Job> WatchUntil(absl::string_view job, absl::Duration timeout,
                                 absl::FunctionRef<bool(const Job&)> update);

  const std::unique_ptr<Connection> connection_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_CLIENT_H_
