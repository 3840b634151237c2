// Bases for decorators of engines and stages: all calls go to the one inside. A decorator of runs
// overrides Begin; Run is a Begin that lands at once. Each belongs to one thread at a time, like
// what it wraps.

#ifndef TILEWRIGHT_WORKER_ENGINE_FORWARDING_ENGINE_H_
#define TILEWRIGHT_WORKER_ENGINE_FORWARDING_ENGINE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "worker/engine/engine.h"

namespace tilewright {

class ForwardingStage : public Stage {
 public:
  // Not null.
  explicit ForwardingStage(std::unique_ptr<Stage> inner) : inner_(std::move(inner)) {}

  InFlight<Outputs> Begin(absl::Span<const NetworkTile> inputs) override {
    return inner_->Begin(inputs);
  }
  Outputs Run(absl::Span<const NetworkTile> inputs) final { return Begin(inputs).Land(); }
  RunNotes Notes() const override { return inner_->Notes(); }
  uint64_t MemoryEstimate() const override { return inner_->MemoryEstimate(); }
  uint64_t StateBytes() const override { return inner_->StateBytes(); }

 protected:
  Stage& inner() { return *inner_; }

 private:
  const std::unique_ptr<Stage> inner_;
};

class ForwardingEngine : public Engine {
 public:
  // Not null.
  explicit ForwardingEngine(std::unique_ptr<Engine> inner) : inner_(std::move(inner)) {}

  std::string name() const override { return inner_->name(); }
  std::string environment_key() const override { return inner_->environment_key(); }
  EngineDevice ExamineDevice() override { return inner_->ExamineDevice(); }
  absl::StatusOr<std::unique_ptr<Stage>> Load(
      const LocalModel& model, const StageKey& key,
      const std::function<void(std::string)>& progress) override {
    return inner_->Load(model, key, progress);
  }
  void DropCaches() override { inner_->DropCaches(); }
  uint64_t MemoryFree() override { return inner_->MemoryFree(); }

 private:
  const std::unique_ptr<Engine> inner_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_FORWARDING_ENGINE_H_
