// A cluster of real processes on loopback, for tests: one coordinator, workers, and the command
// line. Everything lies in a temporary folder and ends with the object. Not thread-safe.

#ifndef TILEWRIGHT_TESTS_CLUSTER_CLUSTER_H_
#define TILEWRIGHT_TESTS_CLUSTER_CLUSTER_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/struct.pb.h"
#include "grpcpp/channel.h"
#include "tests/cluster/process.h"
#include "tilewright/v1/pool_service.grpc.pb.h"
#include "tilewright/v1/render_service.grpc.pb.h"

namespace tilewright {

struct ClusterOptions {
  std::vector<std::string> coordinator_flags = {};  // beside the folder, port and model flags
  std::string models = {};                          // empty: the models that the project ships
};

// What a run of the command line gave.
struct CliResult {
  int exit_code = -1;
  std::string out;
  std::string err;
  // The last line of stdout, if it is a JSON object.
  std::optional<google::protobuf::Struct> json;
};

// A job for Cluster::Submit. Absent values are the model's defaults.
struct JobRequest {
  std::string input;
  std::string output;
  std::string model;
  std::string mask;  // empty: none
  std::optional<int> tile;
  std::optional<int> overlap;
  std::optional<int> halo;
  std::string then;  // the model of a second stage; empty: none
  bool strict = false;
  bool overviews = false;
  bool continue_partial = false;
  double tile_timeout_seconds = 0;
  std::string request_id;  // empty: a fresh one
};

// How a worker of a test is unlike a plain one.
struct WorkerSetup {
  std::string link_fault;    // TILEWRIGHT_TEST_FAULT (worker/link/fault_injection.h)
  std::string engine_fault;  // of the test-only worker (tests/worker/faulty/faulty_engine.h)
  std::vector<std::string> flags = {};
  std::vector<std::string> environment = {};  // NAME=value
};

class Cluster {
 public:
  // Starts a coordinator and waits until it serves.
  static absl::StatusOr<std::unique_ptr<Cluster>> Start(const ClusterOptions& options);
  // Ends all processes. If the test has failed, prints the end of each log.
  ~Cluster();

  const std::string& address() const { return address_; }
  // A path in the cluster's folder.
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  Process& coordinator() { return *coordinator_; }
  // Ends the coordinator by that signal and starts another one on its folder and address; waits
  // until it serves.
  absl::Status RestartCoordinator(int signal);

  // Starts a worker of one thread and waits until the coordinator lists it.
  // `fault` becomes its TILEWRIGHT_TEST_FAULT.
  absl::Status AddWorker(const std::string& name, const std::string& fault = "");
  absl::Status AddWorker(const std::string& name, const WorkerSetup& setup);
  // The same without waiting: it may end before it is listed.
  absl::Status StartWorker(const std::string& name, const WorkerSetup& setup);
  // Starts a supervisor that restarts its workers at once; with one CPU device and the name "s" its
  // worker is "s-cpu". `setup` is of its workers, `flags` its own. Its status is in
  // Path(name + ".status").
  absl::StatusOr<std::unique_ptr<Process>> StartSupervisor(
      const std::string& name, const WorkerSetup& setup,
      const std::vector<std::string>& flags = {});
  Process& worker(const std::string& name) { return *workers_.at(name); }
  // Waits until the coordinator does (or does not) list the worker.
  absl::Status AwaitWorker(const std::string& name, bool listed, absl::Duration timeout);

  // Runs `tilewright ARGUMENTS` against this coordinator to its end.
  CliResult Cli(const std::vector<std::string>& arguments,
                absl::Duration timeout = absl::Seconds(60));
  // The same in the background; its output goes to Path(name + ".out") and ".err".
  absl::StatusOr<std::unique_ptr<Process>> StartCli(const std::string& name,
                                                    const std::vector<std::string>& arguments);

  // A connection of its own.
  std::shared_ptr<grpc::Channel> Connect() const;
  v1::RenderService::Stub& render() { return *render_; }

  // Submits over gRPC, with the facts of the input file; the name of the job.
  absl::StatusOr<std::string> Submit(const JobRequest& request);
  absl::StatusOr<v1::Job> Get(const std::string& job);
  // The job as soon as `done` says so. DEADLINE_EXCEEDED tells how it stands; FAILED_PRECONDITION
  // if it ended otherwise.
  absl::StatusOr<v1::Job> Await(const std::string& job,
                                const std::function<bool(const v1::Job&)>& done,
                                absl::Duration timeout = absl::Seconds(60));
  // The job once it has succeeded.
  absl::StatusOr<v1::Job> AwaitSuccess(const std::string& job,
                                       absl::Duration timeout = absl::Seconds(60));
  absl::StatusOr<v1::WorkerInfo> Worker(const std::string& name);

 private:
  Cluster() = default;
  absl::Status StartCoordinator(const std::string& listen);

  ClusterOptions options_;
  std::string folder_;
  std::string address_;
  std::unique_ptr<Process> coordinator_;
  std::map<std::string, std::unique_ptr<Process>> workers_;
  std::vector<std::string> logs_;
  int cli_runs_ = 0;
  int requests_ = 0;
  std::unique_ptr<v1::RenderService::Stub> render_;
  std::unique_ptr<v1::PoolService::Stub> pool_;
};

// The event kinds of a job, oldest first, for messages.
std::string EventsOf(const v1::Job& job);
// The first event of that kind (and worker, if given).
std::optional<v1::Event> FindEvent(const v1::Job& job, const std::string& kind,
                                   const std::string& worker = "");
std::string ReadFile(const std::string& path);

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_CLUSTER_CLUSTER_H_
