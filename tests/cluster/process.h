// A child process of a test: its output goes to files, and it never outlives the test. Not
// thread-safe; start processes in the thread that lives as long as the test does.

#ifndef TILEWRIGHT_TESTS_CLUSTER_PROCESS_H_
#define TILEWRIGHT_TESTS_CLUSTER_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace tilewright {

struct Command {
  std::vector<std::string> argv;         // argv[0]: path of the program
  std::vector<std::string> environment;  // NAME=value, beside the test's own
  std::string out_path;                  // receives stdout
  std::string err_path;                  // receives stderr; may equal out_path
};

class Process {
 public:
  // NOT_FOUND if the program is not there.
  static absl::StatusOr<std::unique_ptr<Process>> Start(const Command& command);
  // Kills it if it runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool Running();
  // Nothing happens if it has ended.
  void Signal(int signal);
  // Its exit status, or 128 + signal. DEADLINE_EXCEEDED if it still runs after `timeout`.
  absl::StatusOr<int> Wait(absl::Duration timeout);

 private:
  explicit Process(pid_t pid) : pid_(pid) {}

  pid_t pid_;
  std::optional<int> exit_;  // set once it was reaped
};

// The most memory that the process ever had, in kB; 0 if its status cannot be read.
int64_t PeakMemory(pid_t pid);

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_CLUSTER_PROCESS_H_
