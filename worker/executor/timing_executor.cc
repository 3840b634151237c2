#include "worker/executor/timing_executor.h"

#include <chrono>
#include <utility>
#include <vector>

namespace tilewright {
namespace {

class TimingExecutor : public Executor {
 public:
  explicit TimingExecutor(std::unique_ptr<Executor> inner) : inner_(std::move(inner)) {}

  absl::Status Prepare(const v1::StageSpec& stage, const LocalModel& model,
                       const std::function<void(std::string)>& progress) override {
    return inner_->Prepare(stage, model, progress);
  }

  std::vector<TileOutcome> Execute(const v1::StageSpec& stage,
                                   std::vector<TileTask> tasks) override {
    const auto start = std::chrono::steady_clock::now();
    std::vector<TileOutcome> outcomes = inner_->Execute(stage, std::move(tasks));
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    for (TileOutcome& outcome : outcomes) {
      outcome.cost.set_total_seconds(elapsed.count() / static_cast<double>(outcomes.size()));
    }
    return outcomes;
  }

  absl::StatusOr<CanaryOutcome> RunCanary(const v1::StageSpec& stage, uint64_t seed) override {
    return inner_->RunCanary(stage, seed);
  }

 private:
  const std::unique_ptr<Executor> inner_;
};

}  // namespace

std::unique_ptr<Executor> CreateTimingExecutor(std::unique_ptr<Executor> inner) {
  return std::make_unique<TimingExecutor>(std::move(inner));
}

}  // namespace tilewright
