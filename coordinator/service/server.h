// The coordinator as one object: everything built and wired, serving from Start to Shutdown.
// Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_SERVER_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_SERVER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coordinator/image/image_reader.h"
#include "coordinator/schedule/types.h"

namespace tilewright {

struct ServerOptions {
  std::string listen = "127.0.0.1:7878";  // port 0: any free one
  bool insecure = false;                  // permits addresses off loopback
  bool shared_memory = true;              // with workers of this machine
  std::string port_file;                  // empty: none
  std::string state_dir;
  std::string models;
  // Folders that may be touched; none given: / on loopback, else nothing.
  std::vector<std::string> roots;
  absl::Duration worker_grace = absl::Seconds(60);
  std::map<std::string, TenantQuota> quotas;  // by tenant
  TenantQuota default_quota;                  // of all others
  int64_t upload_bytes_max = int64_t{16} << 30;
  ImageLimits image_limits;
  int64_t memory_bytes = int64_t{256} << 20;  // of results and unfinished outputs, all jobs
  std::string scratch;  // folder of what does not fit into that; empty: within state_dir
  // How often a running job is made fit to be continued should this process die; zero: never.
  absl::Duration checkpoint_interval = absl::Seconds(30);
  int preparing_threads = 2;   // jobs at a time whose images are read before they are scheduled
  std::string build;           // for people
  std::string export_program;  // this program
};

class Server {
 public:
  // Serves when it returns, and then writes the port file. Errors: what cannot be opened, and what
  // to do.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options);
  // Shuts down.
  ~Server();

  int port() const;
  // Takes no new jobs, ends running ones and removes what they had begun to write, ends all
  // streams. Waits for an output that is being published.
  void Shutdown();

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_SERVER_H_
