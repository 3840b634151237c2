#include "worker/executor/memory_reporter.h"

#include <optional>
#include <utility>
#include <vector>

#include "proto/base/status_macros.h"
#include "worker/engine/forwarding_engine.h"

namespace tilewright {
namespace {

class ReportedStage : public ForwardingStage {
 public:
  ReportedStage(std::unique_ptr<Stage> inner, std::function<void()> report)
      : ForwardingStage(std::move(inner)), report_(std::move(report)) {}

  InFlight<Outputs> Begin(absl::Span<const NetworkTile> inputs) override {
    return inner().Begin(inputs).Then([this](Outputs outputs) {
      report_();
      return outputs;
    });
  }

 private:
  const std::function<void()> report_;
};

class MemoryReporter : public ForwardingEngine {
 public:
  MemoryReporter(std::unique_ptr<Engine> inner, Measurements* measurements,
                 std::function<Instant()> now)
      : ForwardingEngine(std::move(inner)), measurements_(measurements), now_(std::move(now)) {}

  absl::StatusOr<std::unique_ptr<Stage>> Load(
      const LocalModel& model, const StageKey& key,
      const std::function<void(std::string)>& progress) override {
    TW_ASSIGN_OR_RETURN(std::unique_ptr<Stage> stage, ForwardingEngine::Load(model, key, progress));
    Report();
    return std::make_unique<ReportedStage>(std::move(stage), [this] { Report(); });
  }

 private:
  void Report() {
    const Instant now = now_();
    if (reported_.has_value() && now - *reported_ < kMemoryReportInterval) return;
    reported_ = now;
    if (const uint64_t bytes = MemoryFree(); bytes > 0) measurements_->SetMemoryFree(bytes);
  }

  Measurements* const measurements_;
  const std::function<Instant()> now_;
  std::optional<Instant> reported_;
};

}  // namespace

std::unique_ptr<Engine> CreateMemoryReporter(std::unique_ptr<Engine> engine,
                                             Measurements* measurements,
                                             std::function<Instant()> now) {
  return std::make_unique<MemoryReporter>(std::move(engine), measurements, std::move(now));
}

}  // namespace tilewright
