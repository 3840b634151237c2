#include "worker/executor/watchdog.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "worker/engine/forwarding_engine.h"

namespace tilewright {
namespace {

// The end of what the watchdog was told of.
struct Watch {
  explicit Watch(Watchdog* dog) : watchdog(dog) {}
  ~Watch() { watchdog->End(); }
  Watchdog* const watchdog;
};

class WatchedStage : public ForwardingStage {
 public:
  WatchedStage(std::unique_ptr<Stage> inner, Watchdog* watchdog)
      : ForwardingStage(std::move(inner)), watchdog_(watchdog) {}

  absl::StatusOr<std::vector<NetworkTile>> Run(absl::Span<const NetworkTile> inputs) override {
    watchdog_->Begin();
    const Watch watch(watchdog_);
    return ForwardingStage::Run(inputs);
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
  std::vector<TileOutcome> Execute(const v1::StageSpec& stage,
                                   std::vector<TileTask> tasks) override {
    const uint64_t first = tasks.empty() ? 0 : tasks.front().index;
    Expect(stage, absl::StrCat("tile ", first, " of ", stage.job(), " (", tasks.size(),
                               " tiles at once)"));
    return inner_->Execute(stage, std::move(tasks));
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
  deadline_ = deadline;
  what_ = std::move(what);
}

void Watchdog::Begin() {
  const Instant now = now_();
  absl::MutexLock lock(&mutex_);
  began_ = now;
}

void Watchdog::Loading(std::string what) {
  const Instant now = now_();
  absl::MutexLock lock(&mutex_);
  began_ = now;
  loading_ = std::move(what);
}

void Watchdog::End() {
  absl::MutexLock lock(&mutex_);
  began_.reset();
  loading_.clear();
}

std::optional<std::string> Watchdog::Blown() const {
  const Instant now = now_();
  absl::MutexLock lock(&mutex_);
  if (!began_.has_value()) return std::nullopt;
  if (!loading_.empty()) {
    if (now - *began_ < limits_.loading) return std::nullopt;
    return absl::StrCat("there has been no progress for ", absl::FormatDuration(now - *began_),
                        " with ", loading_);
  }
  if (deadline_ <= absl::ZeroDuration()) return std::nullopt;
  const absl::Duration patience = std::max(deadline_ * limits_.deadlines, limits_.least);
  if (now - *began_ < patience) return std::nullopt;
  return absl::StrCat("the device has made no progress for ", absl::FormatDuration(now - *began_),
                      " with ", what_, ", whose deadline was ", absl::FormatDuration(deadline_));
}

std::unique_ptr<Engine> CreateWatchedEngine(std::unique_ptr<Engine> inner, Watchdog* watchdog) {
  return std::make_unique<WatchedEngine>(std::move(inner), watchdog);
}

std::unique_ptr<Executor> CreateWatchedExecutor(std::unique_ptr<Executor> inner,
                                                Watchdog* watchdog) {
  return std::make_unique<WatchedExecutor>(std::move(inner), watchdog);
}

}  // namespace tilewright
