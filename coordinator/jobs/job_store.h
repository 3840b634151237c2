// All jobs a coordinator knows: running ones and a bounded number of ended ones, by name and by
// request id. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_JOB_STORE_H_
#define TILEWRIGHT_COORDINATOR_JOBS_JOB_STORE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/jobs/job_record.h"

namespace tilewright {

struct JobStoreOptions {
  int ended_max = 1000;  // ended jobs kept; the oldest are forgotten
  int open_max = 256;    // jobs that have not ended
  // Told of every job that is forgotten, with the store's lock held; may be empty.
  std::function<void(const JobRecord&)> on_forgotten;
};

class JobStore {
 public:
  explicit JobStore(JobStoreOptions options) : options_(std::move(options)) {}

  // Starts a submit. The same id and digest again: the job of that time. nullptr: the id is now the
  // caller's, who ends with Commit or Release. ALREADY_EXISTS (REQUEST_ID_REUSED) if the id stands
  // for another request, UNAVAILABLE while the same submit is under way, RESOURCE_EXHAUSTED
  // (TOO_MANY_JOBS) over open_max, INVALID_ARGUMENT for an id that is none.
  absl::StatusOr<std::shared_ptr<JobRecord>> Reserve(const std::string& request_id,
                                                     const std::string& digest);
  void Commit(const std::string& request_id, std::shared_ptr<JobRecord> job);
  void Release(const std::string& request_id);

  // NOT_FOUND (UNKNOWN_JOB) for a name it does not know (any more).
  absl::StatusOr<std::shared_ptr<JobRecord>> Find(const std::string& name) const;

  struct Page {
    std::vector<std::shared_ptr<JobRecord>> jobs;  // newest first
    std::string next_token;                        // empty: the last page
  };
  // INVALID_ARGUMENT (BAD_PAGE_TOKEN) for a token that it did not give.
  absl::StatusOr<Page> List(int page_size, const std::string& page_token) const;
  // Jobs that have not ended.
  std::vector<std::shared_ptr<JobRecord>> Open() const;

 private:
  struct Submit {
    std::string digest;
    std::shared_ptr<JobRecord> job;  // nullptr while under way
  };
  struct Entry {
    std::shared_ptr<JobRecord> job;
    std::string request_id;
  };

  void ForgetOldest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const JobStoreOptions options_;
  mutable absl::Mutex mu_;
  int64_t next_number_ ABSL_GUARDED_BY(mu_) = 1;
  std::map<int64_t, Entry> by_number_ ABSL_GUARDED_BY(mu_);  // in order of submit
  absl::flat_hash_map<std::string, int64_t> number_of_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, Submit> by_request_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_JOB_STORE_H_
