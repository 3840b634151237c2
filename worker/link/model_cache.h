// Models on this machine, by digest; fetched from the coordinator when missing and never used
// unless their digest is right. Get belongs to one thread; Cancel and Cached may be called from
// any. Several processes may share a folder.

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

namespace tilewright {

// ${TILEWRIGHT_CACHE}, else ${XDG_CACHE_HOME}/tilewright, else ~/.cache/tilewright, else a folder
// under /tmp.
std::string DefaultCacheFolder();

class ModelCache {
 public:
  // Models lie in `folder`/models/<digest>. `stub` outlives the cache.
  ModelCache(std::string folder, v1::WorkerService::StubInterface* stub);

  // The model, from memory, from the folder or from the coordinator. `progress` gets a sentence for
  // people while it is fetched. DATA_LOSS if what came has another digest, UNAVAILABLE or CANCELLED
  // if the connection broke, the error of the file system if it cannot be stored.
  absl::StatusOr<LocalModel> Get(const std::string& digest,
                                 const std::function<void(std::string)>& progress);
  // Ends a fetch in progress and all later ones.
  void Cancel();
  // Digests of the models in the folder, not verified.
  std::vector<std::string> Cached() const;

 private:
  absl::Status Fetch(const std::string& digest, const std::string& target,
                     const std::function<void(std::string)>& progress);

  const std::string folder_;  // ends in /models
  v1::WorkerService::StubInterface* const stub_;
  std::map<std::string, LocalModel> open_;

  absl::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  ModelFetch* fetch_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_LINK_MODEL_CACHE_H_
