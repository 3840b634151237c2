// The coordinator's own folder: one coordinator at a time, its epoch, uploads and downloads. The
// folder is locked while the object lives. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_STATE_FOLDER_H_
#define TILEWRIGHT_COORDINATOR_JOBS_STATE_FOLDER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tilewright {

class StateFolder {
 public:
  // Creates the folder if need be and locks it. FAILED_PRECONDITION if another coordinator holds
  // it, PERMISSION_DENIED if it cannot be written: each names the path.
  static absl::StatusOr<std::unique_ptr<StateFolder>> Open(const std::string& path);
  ~StateFolder();
  StateFolder(const StateFolder&) = delete;
  StateFolder& operator=(const StateFolder&) = delete;

  // Raises the epoch by one and returns it once it is durable: `<path>/epoch`, one decimal number,
  // replaced by rename. DATA_LOSS if the file holds anything else: a lower epoch would make workers
  // refuse this coordinator.
  absl::StatusOr<uint64_t> RaiseEpoch();

  const std::string& path() const { return path_; }
  std::string uploads() const { return path_ + "/uploads"; }
  std::string downloads() const { return path_ + "/downloads"; }
  // Of PublishNotes; kept from one coordinator to the next.
  std::string publishing() const { return path_ + "/publishing"; }
  // Files that last as long as a job.
  std::string scratch() const { return path_ + "/scratch"; }

 private:
  StateFolder(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  const std::string path_;
  const int lock_;  // descriptor of `<path>/lock`
};

// Replaces the file by rename, durable when it returns.
absl::Status WriteFileDurably(const std::string& path, const std::string& content);
// 16 hexadecimal digits from the kernel's random numbers.
std::string RandomId();

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_STATE_FOLDER_H_
