#include "worker/executor/timing_executor.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "worker/executor/turn_clock.h"

namespace tilewright {
namespace {

// What was done about it is no measure of speed.
bool ShortOfMemory(const v1::TileCost& cost) {
  return std::any_of(cost.ladder().begin(), cost.ladder().end(),
                     [](int step) { return step != v1::LADDER_STEP_NO_GRAPH; });
}

class TimingExecutor : public Executor {
 public:
  TimingExecutor(std::unique_ptr<Executor> inner, Measurements* measurements)
      : inner_(std::move(inner)), measurements_(measurements) {}

  absl::Status Prepare(const v1::StageSpec& stage, const LocalModel& model,
                       const std::function<void(std::string)>& progress) override {
    model_ = {model.digest, model.manifest.engine(), model.manifest.flops_per_pixel()};
    return inner_->Prepare(stage, model, progress);
  }

  InFlight<Outcomes> Begin(const v1::StageSpec& stage, std::vector<TileTask> tasks) override {
    const TurnClock::Time began = TurnClock::Now();
    return inner_->Begin(stage, std::move(tasks)).Then([this, &stage, began](Outcomes outcomes) {
      const double seconds = clock_.Land(began);
      for (TileOutcome& outcome : outcomes) {
        outcome.cost.set_total_seconds(seconds / static_cast<double>(outcomes.size()));
      }
      Measure(stage, outcomes);
      return outcomes;
    });
  }

  absl::StatusOr<CanaryOutcome> RunCanary(const v1::StageSpec& stage, uint64_t seed) override {
    return inner_->RunCanary(stage, seed);
  }

 private:
  struct Model {
    std::string digest;
    std::string engine;
    double flops_per_pixel = 0;
  };

  void Measure(const v1::StageSpec& stage, const std::vector<TileOutcome>& outcomes) {
    if (measurements_ == nullptr || stage.model_digest() != model_.digest ||
        model_.flops_per_pixel < kFlopsPerPixelMin) {
      return;
    }
    double seconds = 0;
    for (const TileOutcome& outcome : outcomes) {
      if (!outcome.samples.ok() || ShortOfMemory(outcome.cost)) return;
      seconds += outcome.cost.engine_seconds();
    }
    if (seconds <= 0) return;
    const double pixels = static_cast<double>(stage.tile_width()) * stage.tile_height() *
                          static_cast<double>(outcomes.size());
    measurements_->AddSpeed(model_.engine, model_.flops_per_pixel * pixels / seconds);
  }

  const std::unique_ptr<Executor> inner_;
  Measurements* const measurements_;  // may be null
  Model model_;                       // prepared last
  TurnClock clock_;
};

}  // namespace

std::unique_ptr<Executor> CreateTimingExecutor(std::unique_ptr<Executor> inner,
                                               Measurements* measurements) {
  return std::make_unique<TimingExecutor>(std::move(inner), measurements);
}

}  // namespace tilewright
