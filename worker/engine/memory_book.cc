#include "worker/engine/memory_book.h"

#include "absl/strings/str_cat.h"

namespace tilewright {

std::optional<MemoryModel> MemoryBook::Of(
    const StageKey& key, const std::string& network,
    const std::function<absl::StatusOr<MemoryModel>()>& measure,
    const std::function<void(std::string)>& progress) {
  const auto name = std::tuple(key.model_digest, key.channels, key.dtype);
  if (const auto known = known_.find(name); known != known_.end()) return known->second;
  if (progress) progress(absl::StrCat("measuring the memory that ", network, " needs"));
  const absl::StatusOr<MemoryModel> measured = measure();
  if (known_.size() >= Measurements::kModelsMax) known_.clear();
  if (!measured.ok()) {
    if (progress) {
      progress(absl::StrCat("the memory of ", network,
                            " is assumed, not measured: ", measured.status().message()));
    }
    return known_[name] = std::nullopt;
  }
  if (measurements_ != nullptr) {
    measurements_->AddMemory(key.model_digest, key.dtype, *measured);
  }
  return known_[name] = *measured;
}

}  // namespace tilewright
