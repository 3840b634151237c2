#include "coordinator/service/watch_pump.h"

#include <utility>

#include "absl/time/clock.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

bool IsEnd(v1::Job::State state) {
  return state == v1::Job::STATE_SUCCEEDED || state == v1::Job::STATE_FAILED ||
         state == v1::Job::STATE_CANCELLED;
}

}  // namespace

WatchPump::WatchPump(std::function<v1::Job(const JobRecord&)> snapshot)
    : snapshot_(std::move(snapshot)), thread_([this] { Work(); }) {}

WatchPump::~WatchPump() { Stop(); }

absl::Status WatchPump::Add(std::shared_ptr<JobRecord> job, std::shared_ptr<Watcher> watcher) {
  absl::MutexLock lock(&mu_);
  if (stopped_) return absl::UnavailableError("the coordinator is shutting down");
  if (static_cast<int>(watches_.size()) >= kWatchersMax) {
    return WithReason(
        absl::ResourceExhaustedError("too many jobs are being watched: ask with GetJob instead"),
        "TOO_MANY_WATCHERS");
  }
  auto watch = std::make_shared<Watch>();
  watch->job = std::move(job);
  watch->watcher = std::move(watcher);
  watches_.push_back(std::move(watch));
  woken_ = true;
  wake_.Signal();
  return absl::OkStatus();
}

void WatchPump::Remove(const Watcher* watcher) {
  absl::MutexLock lock(&mu_);
  std::erase_if(watches_, [&](const auto& watch) { return watch->watcher.get() == watcher; });
}

void WatchPump::Wake() {
  absl::MutexLock lock(&mu_);
  woken_ = true;
  wake_.Signal();
}

void WatchPump::Stop() {
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
    wake_.Signal();
  }
  if (thread_.joinable()) thread_.join();
}

void WatchPump::Look(Watch& watch) {
  if (!watch.watcher->ready()) return;
  const v1::Job::State state = watch.job->state();
  const absl::Time now = absl::Now();
  // Half an interval of slack: the thread's own interval decides.
  if (state == watch.state && now - watch.told < kInterval / 2) return;
  const int64_t version = watch.job->version();  // first: what comes meanwhile is told next time
  const v1::Job job = snapshot_(*watch.job);
  if (job.state() == watch.state && version == watch.version &&
      job.tiles_done() == watch.tiles_done && job.attempts() == watch.attempts) {
    return;
  }
  watch.state = job.state();
  watch.version = version;
  watch.tiles_done = job.tiles_done();
  watch.attempts = job.attempts();
  watch.told = now;
  watch.ended = IsEnd(job.state());
  watch.watcher->Update(job, watch.ended);
}

void WatchPump::Work() {
  while (true) {
    std::vector<std::shared_ptr<Watch>> watches;
    bool stopped = false;
    {
      absl::MutexLock lock(&mu_);
      if (!woken_ && !stopped_) {
        wake_.WaitWithTimeout(&mu_, watches_.empty() ? absl::InfiniteDuration() : kInterval);
      }
      woken_ = false;
      stopped = stopped_;
      watches = watches_;
    }
    for (const auto& watch : watches) Look(*watch);
    absl::MutexLock lock(&mu_);
    std::erase_if(watches_, [](const auto& watch) { return watch->ended; });
    if (stopped) break;
  }
  std::vector<std::shared_ptr<Watch>> left;
  {
    absl::MutexLock lock(&mu_);
    left.swap(watches_);
  }
  for (const auto& watch : left) {
    watch->watcher->Abandon(absl::UnavailableError("the coordinator is shutting down"));
  }
}

}  // namespace tilewright
