#include "worker/executor/watchdog.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "worker/engine/forwarding_engine.h"

namespace tilewright {
namespace {

struct Ends {
  void operator()(Watchdog* watchdog) const { watchdog->End(); }
};
// The end of what the watchdog was told of, even of what never lands.
using Watch = std::unique_ptr<Watchdog, Ends>;

class WatchedStage : public ForwardingStage {
 public:
  WatchedStage(std::unique_ptr<Stage> inner, Watchdog* watchdog)
      : ForwardingStage(std::move(inner)), watchdog_(watchdog) {}

  InFlight<Outputs> Begin(absl::Span<const NetworkTile> inputs) override {
    watchdog_->Begin();
    Watch watch(watchdog_);
    return inner().Begin(inputs).Then([watch = std::move(watch)](Outputs outputs) mutable {
      watch.reset();
      return outputs;
    });
  }

 private:
  Watchdog* const watchdog_;
};

class WatchedEngine : public ForwardingEngine {
 public:
  WatchedEngine(std::unique_ptr<Engine> inner, Watchdog* watchdog)
      : ForwardingEngine(std::move(inner)), watchdog_(watchdog) {}

  absl::StatusOr<std::unique_ptr<Stage>> Load(
      const LocalModel& model, const StageKey& key,
      const std::function<void(std::string)>& progress) override {
    const std::string what = absl::StrCat("loading ", model.manifest.entry());
    watchdog_->Loading(what);
    const Watch watch(watchdog_);
    const auto watched = [&](const std::string& text) {
      watchdog_->Loading(what);
      if (progress) progress(text);
    };
    TW_ASSIGN_OR_RETURN(std::unique_ptr<Stage> stage, ForwardingEngine::Load(model, key, watched));
    return std::make_unique<WatchedStage>(std::move(stage), watchdog_);
  }

 private:
  Watchdog* const watchdog_;
};

class WatchedExecutor : public Executor {
 public:
  WatchedExecutor(std::unique_ptr<Executor> inner, Watchdog* watchdog)
      : inner_(std::move(inner)), watchdog_(watchdog) {}

  absl::Status Prepare(const v1::StageSpec& stage, const LocalModel& model,
                       const std::function<void(std::string)>& progress) override {
    return inner_->Prepare(stage, model, progress);
  }
  InFlight<Outcomes> Begin(const v1::StageSpec& stage, std::vector<TileTask> tasks) override {
    const uint64_t first = tasks.empty() ? 0 : tasks.front().index;
    Expect(stage, absl::StrCat("tile ", first, " of ", stage.job(), " (", tasks.size(),
                               " tiles at once)"));
    return inner_->Begin(stage, std::move(tasks));
  }
  absl::StatusOr<CanaryOutcome> RunCanary(const v1::StageSpec& stage, uint64_t seed) override {
    Expect(stage, absl::StrCat("a canary for ", stage.job()));
    return inner_->RunCanary(stage, seed);
  }

 private:
  void Expect(const v1::StageSpec& stage, std::string what) {
    watchdog_->Expect(absl::Milliseconds(static_cast<int64_t>(stage.deadline_ms())),
                      std::move(what));
  }

  const std::unique_ptr<Executor> inner_;
  Watchdog* const watchdog_;
};

}  // namespace

void Watchdog::Expect(absl::Duration deadline, std::string what) {
  absl::MutexLock lock(&mutex_);
  expected_ = {deadline, std::move(what)};
}

void Watchdog::Begin() {
  const Instant now = now_();
  absl::MutexLock lock(&mutex_);
  if (runs_.empty()) moved_ = now;
  runs_.push_back(expected_);
}

void Watchdog::Loading(std::string what) {
  const Instant now = now_();
  absl::MutexLock lock(&mutex_);
  moved_ = now;
  loading_ = std::move(what);
}

void Watchdog::End() {
  const Instant now = now_();
  absl::MutexLock lock(&mutex_);
  if (!loading_.empty()) {
    loading_.clear();
  } else if (!runs_.empty()) {
    runs_.pop_front();
  }
  moved_ = now;
}

std::optional<std::string> Watchdog::Blown() const {
  const Instant now = now_();
  absl::MutexLock lock(&mutex_);
  const absl::Duration lasted = now - moved_;
  if (!loading_.empty()) {
    if (lasted < limits_.loading) return std::nullopt;
    return absl::StrCat("there has been no progress for ", absl::FormatDuration(lasted), " with ",
                        loading_);
  }
  if (runs_.empty() || runs_.front().deadline <= absl::ZeroDuration()) return std::nullopt;
  const auto& [deadline, what] = runs_.front();
  if (lasted < std::max(deadline * limits_.deadlines, limits_.least)) return std::nullopt;
  return absl::StrCat("the device has made no progress for ", absl::FormatDuration(lasted),
                      " with ", what, ", whose deadline was ", absl::FormatDuration(deadline));
}

std::unique_ptr<Engine> CreateWatchedEngine(std::unique_ptr<Engine> inner, Watchdog* watchdog) {
  return std::make_unique<WatchedEngine>(std::move(inner), watchdog);
}

std::unique_ptr<Executor> CreateWatchedExecutor(std::unique_ptr<Executor> inner,
                                                Watchdog* watchdog) {
  return std::make_unique<WatchedExecutor>(std::move(inner), watchdog);
}

}  // namespace tilewright
