#include "worker/engine/capabilities.h"

#include "absl/strings/str_cat.h"

namespace tilewright {

void AddEngine(Engine& engine, v1::Capabilities* capabilities) {
  capabilities->add_engines(engine.name());
  std::string* key = capabilities->mutable_environment_key();
  absl::StrAppend(key, key->empty() ? "" : "; ", engine.environment_key());
  const EngineDevice device = engine.ExamineDevice();
  if (device.kind != capabilities->device_kind()) return;
  if (device.memory_total_bytes > 0) {
    capabilities->set_memory_total_bytes(device.memory_total_bytes);
    capabilities->set_memory_free_bytes(device.memory_free_bytes);
  }
  if (device.flops > 0) capabilities->set_probe_flops(device.flops);
}

}  // namespace tilewright
