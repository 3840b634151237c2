#include "worker/executor/logging_executor.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace tilewright {
namespace {

std::string About(const v1::StageSpec& stage) {
  return absl::StrCat("job=", stage.job(), " stage=", stage.stage(), " model=", stage.model());
}

class LoggingExecutor : public Executor {
 public:
  LoggingExecutor(std::unique_ptr<Executor> inner, std::shared_ptr<spdlog::logger> logger)
      : inner_(std::move(inner)), logger_(std::move(logger)) {}

  absl::Status Prepare(const v1::StageSpec& stage, const LocalModel& model,
                       const std::function<void(std::string)>& progress) override {
    absl::Status status = inner_->Prepare(stage, model, [&](std::string text) {
      logger_->info("{} preparing: {}", About(stage), text);
      if (progress) progress(std::move(text));
    });
    if (!status.ok()) {
      logger_->error("{} cannot be prepared: {} ({})", About(stage), std::string(status.message()),
                     v1::FailureCause_Name(CauseOf(status)));
    }
    return status;
  }

  InFlight<Outcomes> Begin(const v1::StageSpec& stage, std::vector<TileTask> tasks) override {
    std::vector<std::string> leases;
    for (const TileTask& task : tasks) leases.push_back(task.lease);
    return inner_->Begin(stage, std::move(tasks))
        .Then([this, &stage, leases = std::move(leases)](Outcomes outcomes) {
          Log(stage, leases, outcomes);
          return outcomes;
        });
  }

  absl::StatusOr<CanaryOutcome> RunCanary(const v1::StageSpec& stage, uint64_t seed) override {
    absl::StatusOr<CanaryOutcome> outcome = inner_->RunCanary(stage, seed);
    if (outcome.ok()) {
      logger_->info("{} canary {}: {} in {:.3f} s", About(stage), seed, outcome->digest,
                    outcome->seconds);
    } else {
      logger_->error("{} canary {} failed: {}", About(stage), seed,
                     std::string(outcome.status().message()));
    }
    return outcome;
  }

 private:
  void Log(const v1::StageSpec& stage, const std::vector<std::string>& leases,
           const Outcomes& outcomes) {
    for (size_t i = 0; i < outcomes.size(); ++i) {
      const TileOutcome& outcome = outcomes[i];
      const std::string about =
          absl::StrCat(About(stage), " tile=", outcome.index, " lease=", leases[i]);
      if (outcome.samples.ok()) {
        logger_->debug("{} computed in {:.6f} s, engine {:.6f} s, device {:.6f} s, batch {}", about,
                       outcome.cost.total_seconds(), outcome.cost.engine_seconds(),
                       outcome.cost.device_seconds(), outcome.cost.batch());
      } else {
        logger_->error("{} failed: {} ({})", about, std::string(outcome.samples.status().message()),
                       v1::FailureCause_Name(CauseOf(outcome.samples.status())));
      }
    }
  }

  const std::unique_ptr<Executor> inner_;
  const std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace

std::unique_ptr<Executor> CreateLoggingExecutor(std::unique_ptr<Executor> inner,
                                                std::shared_ptr<spdlog::logger> logger) {
  return std::make_unique<LoggingExecutor>(std::move(inner), std::move(logger));
}

}  // namespace tilewright
