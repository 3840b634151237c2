// A device that does what it is given by itself, in order: in a test's one thread that is when it
// is told to, or when somebody waits for it. What is given to it and what it gives lies in staging
// buffers, of each run's own or, as the control, in one that all runs share.

#ifndef TILEWRIGHT_TESTS_WORKER_EXECUTOR_FAKE_DEVICE_H_
#define TILEWRIGHT_TESTS_WORKER_EXECUTOR_FAKE_DEVICE_H_

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/worker/executor/fake_engine.h"
#include "worker/engine/engine.h"

namespace tilewright {

class FakeDevice {
 public:
  enum class Staging { kOfEachRun, kShared };
  // `log`, which outlives the device, is told "begin N", "done N" and "land N" of runs whose first
  // tile is N.
  explicit FakeDevice(std::vector<std::string>* log, Staging staging = Staging::kOfEachRun)
      : log_(log), staging_(staging) {}

  InFlight<Stage::Outputs> Begin(const FakeNetwork* network, absl::Span<const NetworkTile> inputs) {
    auto run = std::make_shared<Run>();
    run->first = inputs.front().index;
    run->network = network;
    if (staging_ == Staging::kShared && shared_ == nullptr) shared_ = std::make_shared<Buffer>();
    run->buffer = staging_ == Staging::kShared ? shared_ : std::make_shared<Buffer>();
    run->buffer->inputs.assign(inputs.begin(), inputs.end());
    queue_.push_back(run);
    log_->push_back(absl::StrCat("begin ", run->first));
    return InFlight<Stage::Outputs>(
        [this, run] {
          while (!run->done) DoNext();
          log_->push_back(absl::StrCat("land ", run->first));
          return run->status.ok() ? Stage::Outputs(run->buffer->outputs) : run->status;
        },
        /*overlaps=*/true);
  }

  // The device comes to the end of its oldest run.
  void DoNext() {
    const std::shared_ptr<Run> run = queue_.front();
    queue_.pop_front();
    const Stage::Outputs outputs = (*run->network)(run->buffer->inputs);
    run->status = outputs.status();
    if (outputs.ok()) run->buffer->outputs = *outputs;
    run->done = true;
    log_->push_back(absl::StrCat("done ", run->first));
  }

 private:
  struct Buffer {
    std::vector<NetworkTile> inputs;
    std::vector<NetworkTile> outputs;
  };
  struct Run {
    uint64_t first = 0;
    const FakeNetwork* network = nullptr;
    std::shared_ptr<Buffer> buffer;
    absl::Status status;
    bool done = false;
  };

  std::vector<std::string>* const log_;
  const Staging staging_;
  std::shared_ptr<Buffer> shared_;
  std::deque<std::shared_ptr<Run>> queue_;
};

// The engine "fake" on it; the network may depend on the model.
class FakeDeviceEngine : public Engine {
 public:
  using NetworkOf = std::function<FakeNetwork(const LocalModel&)>;
  // `device` outlives the engine.
  FakeDeviceEngine(FakeDevice* device, NetworkOf network_of)
      : device_(device), network_of_(std::move(network_of)) {}
  std::string name() const override { return "fake"; }
  std::string environment_key() const override { return "fake/1"; }
  EngineDevice ExamineDevice() override { return {}; }
  absl::StatusOr<std::unique_ptr<Stage>> Load(const LocalModel& model, const StageKey&,
                                              const std::function<void(std::string)>&) override {
    return std::make_unique<OnDevice>(device_, network_of_(model));
  }

 private:
  class OnDevice : public Stage {
   public:
    OnDevice(FakeDevice* device, FakeNetwork network)
        : device_(device), network_(std::move(network)) {}
    InFlight<Outputs> Begin(absl::Span<const NetworkTile> inputs) override {
      return device_->Begin(&network_, inputs);
    }
    Outputs Run(absl::Span<const NetworkTile> inputs) override { return Begin(inputs).Land(); }
    uint64_t MemoryEstimate() const override { return 0; }
    uint64_t StateBytes() const override { return 0; }

   private:
    FakeDevice* const device_;
    const FakeNetwork network_;
  };

  FakeDevice* const device_;
  const NetworkOf network_of_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_WORKER_EXECUTOR_FAKE_DEVICE_H_
