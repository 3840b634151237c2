#include "worker/engine/capabilities.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

namespace tilewright {

namespace {

// FLOPs of the reference network per million input pixels.
constexpr double kReferenceFlopsPerMpx = 16 * 2.0 * 9 * 64 * 64 * 1e6;

bool Measured(const v1::EngineOffer& offer) { return offer.reference_seconds_per_mpx() > 0; }

}  // namespace

void SetSpeed(const std::string& engine, double flops, v1::Capabilities* capabilities) {
  for (v1::EngineOffer& offer : *capabilities->mutable_engine_offers()) {
    if (offer.name() != engine) continue;
    // The first that was measured is the device's.
    const auto& offers = capabilities->engine_offers();
    const auto first = std::find_if(offers.begin(), offers.end(), Measured);
    if (first == offers.end() || first->name() == engine) capabilities->set_probe_flops(flops);
    offer.set_reference_seconds_per_mpx(kReferenceFlopsPerMpx / flops);
  }
}

void AddEngine(Engine& engine, v1::Capabilities* capabilities) {
  capabilities->add_engines(engine.name());
  std::string* key = capabilities->mutable_environment_key();
  absl::StrAppend(key, key->empty() ? "" : "; ", engine.environment_key());
  const EngineDevice device = engine.ExamineDevice();
  const auto& offers = capabilities->engine_offers();
  const bool first_measured = std::none_of(offers.begin(), offers.end(), Measured);
  v1::EngineOffer* offer = capabilities->add_engine_offers();
  offer->set_name(engine.name());
  offer->set_environment_key(engine.environment_key());
  if (device.flops > 0) offer->set_reference_seconds_per_mpx(kReferenceFlopsPerMpx / device.flops);
  auto* dtypes = capabilities->mutable_dtypes();
  for (const std::string& dtype : device.dtypes) {
    offer->add_dtypes(dtype);
    if (std::find(dtypes->begin(), dtypes->end(), dtype) == dtypes->end()) *dtypes->Add() = dtype;
  }
  if (device.kind != capabilities->device_kind()) return;
  if (device.memory_total_bytes > 0) {
    capabilities->set_memory_total_bytes(device.memory_total_bytes);
    capabilities->set_memory_free_bytes(device.memory_free_bytes);
  }
  if (device.flops > 0 && first_measured) capabilities->set_probe_flops(device.flops);
}

}  // namespace tilewright
