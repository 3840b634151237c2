// An engine whose network is a function, so that tests say what it computes and how it fails.

#ifndef TILEWRIGHT_TESTS_WORKER_EXECUTOR_FAKE_ENGINE_H_
#define TILEWRIGHT_TESTS_WORKER_EXECUTOR_FAKE_ENGINE_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "worker/engine/engine.h"

namespace tilewright {

using FakeNetwork =
    std::function<absl::StatusOr<std::vector<NetworkTile>>(const std::vector<NetworkTile>& inputs)>;

// What its stages say they need.
struct FakeBytes {
  uint64_t state = 0;
  uint64_t run = 0;
};

class FakeStage : public Stage {
 public:
  explicit FakeStage(FakeNetwork network, FakeBytes bytes = {}, RunNotes notes = {})
      : network_(std::move(network)), bytes_(bytes), notes_(std::move(notes)) {}
  absl::StatusOr<std::vector<NetworkTile>> Run(absl::Span<const NetworkTile> inputs) override {
    return network_(std::vector<NetworkTile>(inputs.begin(), inputs.end()));
  }
  RunNotes Notes() const override { return notes_; }
  uint64_t MemoryEstimate() const override { return bytes_.run; }
  uint64_t StateBytes() const override { return bytes_.state; }

 private:
  const FakeNetwork network_;
  const FakeBytes bytes_;
  const RunNotes notes_;
};

class FakeEngine : public Engine {
 public:
  // `loads` counts calls of Load, if it is not null.
  FakeEngine(FakeNetwork network, int* loads, FakeBytes bytes = {})
      : network_(std::move(network)), loads_(loads), bytes_(bytes) {}
  std::string name() const override { return "fake"; }
  std::string environment_key() const override { return "fake/1"; }
  EngineDevice ExamineDevice() override { return {}; }
  absl::StatusOr<std::unique_ptr<Stage>> Load(
      const LocalModel&, const StageKey&,
      const std::function<void(std::string)>& progress) override {
    if (loads_ != nullptr) ++*loads_;
    if (progress) progress("loading");
    return std::make_unique<FakeStage>(network_, bytes_, notes_);
  }
  // Of every run of stages loaded from now on.
  void SetNotes(RunNotes notes) { notes_ = std::move(notes); }

 private:
  const FakeNetwork network_;
  int* const loads_;
  const FakeBytes bytes_;
  RunNotes notes_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_WORKER_EXECUTOR_FAKE_ENGINE_H_
