// Which workers a machine is to have: the list that --devices takes, resolved to one entry a
// worker. Pure functions: thread-safe.

#ifndef TILEWRIGHT_WORKER_SUPERVISOR_DEVICES_H_
#define TILEWRIGHT_WORKER_SUPERVISOR_DEVICES_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tilewright {

struct WorkerPlace {
  std::string name;    // unique on this machine, after the device: "cpu", "cpu1", "cuda0"
  std::string device;  // as tilewright-worker takes it: "cpu" or "cuda:K"
  int threads = 1;     // that compute on the CPU; at least 1
};

struct Places {
  std::vector<WorkerPlace> workers;  // at least one
  int fallback_threads = 1;          // for a worker that serves on the CPU instead of its GPU
  std::string remark;                // what a user who said "auto" should know; may be empty
};

// Resolves
//
//   list = "auto" | item {"," item}
//   item = "cpu" ["*" COUNT] | "cuda" | "cuda:" INDEX {"," INDEX}
//
// "cpu*3" is three workers that share the cores, "cuda" every CUDA device, "cuda:0,1" the first
// two, "auto" every CUDA device, or one worker on the CPU if there is none. The `cpu_threads` are
// divided among the CPU workers, as evenly as whole threads allow, never below one. `count_cuda` is
// asked only if it matters; its error is the remark of "auto". A CUDA device given by number is not
// looked for: it may come later. INVALID_ARGUMENT for text of another form, a device twice, more
// than 256 workers; UNAVAILABLE if "cuda" finds none.
absl::StatusOr<Places> ResolveDevices(absl::string_view list, int cpu_threads,
                                      const std::function<absl::StatusOr<int>()>& count_cuda);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_SUPERVISOR_DEVICES_H_
