// What models were measured to need on one engine's device. Belongs to the engine's thread.

#ifndef TILEWRIGHT_WORKER_ENGINE_MEMORY_BOOK_H_
#define TILEWRIGHT_WORKER_ENGINE_MEMORY_BOOK_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "absl/status/statusor.h"
#include "worker/engine/engine.h"
#include "worker/engine/measurements.h"
#include "worker/engine/memory_model.h"

namespace tilewright {

class MemoryBook {
 public:
  // `measurements` is told what is measured and outlives the book; null: nobody is.
  explicit MemoryBook(Measurements* measurements) : measurements_(measurements) {}

  // Of the key's model, channels and dtype, by `measure` when they are asked for first. Absent
  // where that failed, also later: why goes to `progress` (may be empty), as a sentence that names
  // `network`.
  std::optional<MemoryModel> Of(const StageKey& key, const std::string& network,
                                const std::function<absl::StatusOr<MemoryModel>()>& measure,
                                const std::function<void(std::string)>& progress);

 private:
  Measurements* const measurements_;
  // By model digest, channels and dtype; absent where it could not be measured. At most
  // Measurements::kModelsMax.
  std::map<std::tuple<std::string, int, std::string>, std::optional<MemoryModel>> known_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_MEMORY_BOOK_H_
