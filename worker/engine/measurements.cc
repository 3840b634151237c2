#include "worker/engine/measurements.h"

#include <cmath>
#include <utility>

#include "worker/engine/capabilities.h"

namespace tilewright {

void Measurements::AddMemory(const std::string& model_digest, const std::string& dtype,
                             const MemoryModel& memory) {
  v1::MemoryModel model;
  model.set_model_digest(model_digest);
  model.set_dtype(dtype);
  model.set_base_bytes(memory.base_bytes);
  model.set_bytes_per_pixel(memory.bytes_per_pixel);
  absl::MutexLock lock(&mutex_);
  models_.remove_if([&model](const v1::MemoryModel& other) {
    return other.model_digest() == model.model_digest() && other.dtype() == model.dtype();
  });
  models_.push_front(std::move(model));
  if (models_.size() > kModelsMax) models_.pop_back();
  models_changed_ = true;
}

void Measurements::AddSpeed(const std::string& engine, double flops) {
  constexpr double kWeight = 0.125;
  absl::MutexLock lock(&mutex_);
  double& smoothed = speeds_[engine].flops;
  smoothed = smoothed == 0 ? flops : smoothed + kWeight * (flops - smoothed);
}

bool Measurements::TakeChanges(v1::Capabilities* capabilities) {
  absl::MutexLock lock(&mutex_);
  bool changed = models_changed_;
  models_changed_ = false;
  for (auto& [engine, speed] : speeds_) {
    if (std::abs(speed.flops - speed.told) < kSpeedChange * speed.told) continue;
    speed.told = speed.flops;
    changed = true;
    SetSpeed(engine, speed.flops, capabilities);
  }
  if (!changed) return false;
  capabilities->mutable_memory_models()->Assign(models_.begin(), models_.end());
  return true;
}

}  // namespace tilewright
