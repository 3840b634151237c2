// Models on this machine, by digest; fetched from the coordinator when missing and never used
// unless their digest is right; kept until they need more room than they may. Get belongs to one
// thread; Cancel and Cached may be called from any. Several processes may share a folder.

#ifndef TILEWRIGHT_WORKER_LINK_MODEL_CACHE_H_
#define TILEWRIGHT_WORKER_LINK_MODEL_CACHE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "tilewright/v1/worker_service.grpc.pb.h"
#include "worker/engine/engine.h"
#include "worker/link/model_fetch.h"
#include "worker/link/model_folders.h"

namespace tilewright {

// ${TILEWRIGHT_CACHE}, else ${XDG_CACHE_HOME}/tilewright, else ~/.cache/tilewright, else a folder
// under /tmp.
std::string DefaultCacheFolder();

class ModelCache {
 public:
  // Models lie in `folder`/models/<digest>, and have `bytes_max` bytes at most unless they are in
  // use. `stub` outlives the cache.
  ModelCache(const std::string& folder, uint64_t bytes_max, v1::WorkerService::StubInterface* stub);

  // The model, from memory, from the folder or from the coordinator; its files stay while a copy of
  // the result lives. After one was fetched, those that no process uses go, the least recently used
  // first, until the rest fits; the log says which. `progress` gets a sentence for
  // people while it is fetched. DATA_LOSS if what came has another digest, UNAVAILABLE or CANCELLED
  // if the connection broke, the error of the file system if it cannot be stored.
  absl::StatusOr<LocalModel> Get(const std::string& digest,
                                 const std::function<void(std::string)>& progress);
  // Ends a fetch in progress and all later ones.
  void Cancel();
  // Digests of the models in the folder, not verified.
  std::vector<std::string> Cached() const { return folders_.Digests(); }

 private:
  absl::Status Fetch(const std::string& digest, const std::function<void(std::string)>& progress);

  // Opens what lies there and keeps it open.
  absl::StatusOr<LocalModel> Open(const std::string& digest);
  void Prune();

  const ModelFolders folders_;
  v1::WorkerService::StubInterface* const stub_;
  // What was found to be right is not checked again. By digest; those that nobody else holds go
  // when room is needed.
  std::map<std::string, LocalModel> open_;

  absl::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  ModelFetch* fetch_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_LINK_MODEL_CACHE_H_
