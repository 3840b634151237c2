#include "coordinator/service/merge_pool.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>

#include "coordinator/image/file_error.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

// Exports run in child processes; these threads only wait for them.
constexpr int kFinishThreads = 2;

}  // namespace

// Guarded by the pool's lock, but for `host`, which is fixed. A strand is at one place at a time:
//
//   rests -> queued -> finishing
//              ^           ^
//              v           v
//            parked (waits for room, and goes back to where it was)
class MergePool::Strand {
 public:
  explicit Strand(std::shared_ptr<JobHost> job_host) : host(std::move(job_host)) {}

  const std::shared_ptr<JobHost> host;
  std::deque<Item> items;
  int64_t queued_bytes = 0;                                // of items, those being merged included
  int64_t held_bytes = 0;                                  // by the host, as of the latest batch
  int64_t held_max = std::numeric_limits<int64_t>::max();  // both together
  bool queued = false;                                     // in ready_, or with a merge thread
  bool parked = false;                                     // in parked_
  Instant retry_at;                                        // of a parked one
  absl::Status no_room;                                    // as of the latest look for it
  bool broken = false;                                     // a merge failed: drop what comes
  bool finishing = false;                                  // in ending_, with a finisher, or parked
  std::optional<absl::Status> ended;                       // by End

  bool stopped() const { return ended.has_value() && !ended->ok(); }
};

MergePool::MergePool(const MergePoolOptions& options, const Clock& clock, Callbacks callbacks)
    : options_(options), clock_(clock), callbacks_(std::move(callbacks)) {
  {
    absl::MutexLock lock(&mu_);
    merging_ = options.threads;
  }
  for (int i = 0; i < options.threads; ++i) threads_.emplace_back([this] { MergeLoop(); });
  for (int i = 0; i < kFinishThreads; ++i) threads_.emplace_back([this] { FinishLoop(); });
}

MergePool::~MergePool() { Stop(); }

void MergePool::Stop() {
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

std::shared_ptr<MergePool::Strand> MergePool::NewStrand(std::shared_ptr<JobHost> host) {
  return std::make_shared<Strand>(std::move(host));
}

void MergePool::Ready(const std::shared_ptr<Strand>& strand) {
  if (strand->queued || strand->parked || strand->finishing) return;
  const bool ends = strand->ended.has_value();
  if (strand->items.empty() && !ends) return;
  strand->queued = true;
  ready_.push_back(strand);
}

void MergePool::Add(const std::shared_ptr<Strand>& strand, int64_t tile,
                    std::vector<std::byte> samples) {
  Push(strand, Item{tile, std::move(samples), false});
}

void MergePool::AddHole(const std::shared_ptr<Strand>& strand, int64_t tile) {
  Push(strand, Item{tile, {}, true});
}

void MergePool::Push(const std::shared_ptr<Strand>& strand, Item item) {
  absl::MutexLock lock(&mu_);
  if (strand->broken || strand->ended.has_value()) return;
  if (!strand->parked) queued_bytes_ += static_cast<int64_t>(item.samples.size());
  strand->queued_bytes += static_cast<int64_t>(item.samples.size());
  strand->items.push_back(std::move(item));
  Ready(strand);
}

absl::Status MergePool::Merge(JobHost& host, Item& item) {
  return item.hole ? host.MergeHole(item.tile) : host.Merge(item.tile, std::move(item.samples));
}

void MergePool::LimitHeld(const std::shared_ptr<Strand>& strand, int64_t bytes_max) {
  absl::MutexLock lock(&mu_);
  strand->held_max = bytes_max;
}

int64_t MergePool::HeldBytes(const std::shared_ptr<Strand>& strand) const {
  absl::MutexLock lock(&mu_);
  return strand->queued_bytes + strand->held_bytes;
}

void MergePool::End(const std::shared_ptr<Strand>& strand, const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  if (strand->stopped() || (strand->finishing && status.ok())) return;
  strand->ended = status;
  if (strand->parked && !status.ok()) return Unpark(strand);
  Ready(strand);
}

absl::Status MergePool::WaitsForRoom(const std::shared_ptr<Strand>& strand) const {
  absl::MutexLock lock(&mu_);
  return strand->no_room;
}

void MergePool::Retry(const std::shared_ptr<Strand>& strand) {
  absl::MutexLock lock(&mu_);
  if (strand->parked) Unpark(strand);
}

void MergePool::RetryDue() {
  const Instant now = clock_.Now();
  absl::MutexLock lock(&mu_);
  const std::vector<std::shared_ptr<Strand>> parked = parked_;
  for (const auto& strand : parked) {
    if (strand->retry_at <= now) Unpark(strand);
  }
}

Instant MergePool::next_retry() const {
  absl::MutexLock lock(&mu_);
  Instant next = Instant::Never();
  for (const auto& strand : parked_) next = std::min(next, strand->retry_at);
  return next;
}

bool MergePool::FoundRoom(const std::shared_ptr<Strand>& strand, absl::Status* status) {
  if (IsNoRoom(*status) && strand->stopped()) *status = *strand->ended;
  if (IsNoRoom(*status)) {
    strand->parked = true;
    strand->retry_at = clock_.Now() + options_.room_retry;
    parked_.push_back(strand);
  }
  const bool told = strand->parked || !strand->no_room.ok();
  strand->no_room = strand->parked ? *status : absl::OkStatus();
  return told;
}

void MergePool::Unpark(const std::shared_ptr<Strand>& strand) {
  std::erase(parked_, strand);
  strand->parked = false;
  queued_bytes_ += strand->queued_bytes;
  if (strand->finishing) {
    ending_.push_back(strand);
  } else {
    Ready(strand);
  }
}

bool MergePool::HasRoom(const std::shared_ptr<ResultSource>& source) {
  {
    absl::MutexLock lock(&mu_);
    if (queued_bytes_ <= options_.queued_bytes_max) return true;
    waiting_.push_back(source);
    if (waiting_.size() > 1) return false;
  }
  callbacks_.on_room_changed();
  return false;
}

bool MergePool::Holding() const {
  absl::MutexLock lock(&mu_);
  return !waiting_.empty();
}

void MergePool::Release(int64_t bytes, std::vector<std::shared_ptr<ResultSource>>* resumed) {
  queued_bytes_ -= bytes;
  if (queued_bytes_ > options_.queued_bytes_max) return;
  resumed->insert(resumed->end(), waiting_.begin(), waiting_.end());
  waiting_.clear();
}

void MergePool::Drain(const std::shared_ptr<Strand>& strand) {
  std::vector<std::shared_ptr<ResultSource>> resumed;
  while (true) {
    std::deque<Item> batch;
    int64_t bytes = 0;
    int64_t held_max = 0;
    bool drop = false;
    {
      absl::MutexLock lock(&mu_);
      drop = strand->broken || strand->stopped();
      batch.swap(strand->items);
      bytes = strand->queued_bytes;
      held_max = strand->held_max;
      if (batch.empty()) {
        strand->queued = false;
        if (strand->ended.has_value()) {
          strand->finishing = true;
          ending_.push_back(strand);
        }
        return;
      }
    }
    absl::Status status;
    if (!drop) status = MergeBatch(*strand, held_max, bytes, &batch);
    const int64_t held = strand->host->held_bytes();
    bool told = false;
    bool parked = false;
    {
      absl::MutexLock lock(&mu_);
      strand->held_bytes = held;
      told = FoundRoom(strand, &status);
      parked = strand->parked;
      if (parked) {
        // Its tiles, those that came meanwhile included, are in nobody's way.
        Release(strand->queued_bytes, &resumed);
        PutBack(*strand, bytes, std::move(batch));
      } else {
        Release(bytes, &resumed);
        strand->queued_bytes -= bytes;
        if (!status.ok()) strand->broken = true;
      }
    }
    if (!parked && !status.ok()) callbacks_.on_error(strand->host->name(), status);
    if (told) callbacks_.on_waits_for_room(strand->host->name());
    callbacks_.on_merged(strand->host->name());
    if (!resumed.empty()) callbacks_.on_room_changed();
    for (const auto& source : resumed) source->Resume();
    resumed.clear();
    if (parked) return;
  }
}

absl::Status MergePool::MergeBatch(Strand& strand, int64_t held_max, int64_t bytes,
                                   std::deque<Item>* batch) {
  for (; !batch->empty(); batch->pop_front()) {
    Item& item = batch->front();
    bytes -= static_cast<int64_t>(item.samples.size());
    strand.host->LimitHeld(held_max - bytes);
    TW_RETURN_IF_ERROR(strand.host->MakeRoom(item.tile));
    TW_RETURN_IF_ERROR(NotForRoom(Merge(*strand.host, item)));
  }
  return absl::OkStatus();
}

void MergePool::PutBack(Strand& strand, int64_t bytes, std::deque<Item> rest) {
  strand.queued = false;
  strand.queued_bytes -= bytes;
  for (const Item& item : rest) strand.queued_bytes += static_cast<int64_t>(item.samples.size());
  strand.items.insert(strand.items.begin(), std::make_move_iterator(rest.begin()),
                      std::make_move_iterator(rest.end()));
}

void MergePool::MergeLoop() {
  while (true) {
    std::shared_ptr<Strand> strand;
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(this, &MergePool::MayMerge));
      if (ready_.empty()) {
        --merging_;
        return;
      }
      strand = std::move(ready_.front());
      ready_.pop_front();
    }
    Drain(strand);
  }
}

void MergePool::FinishLoop() {
  while (true) {
    std::shared_ptr<Strand> strand;
    absl::Status status;
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(this, &MergePool::MayFinish));
      if (ending_.empty()) return;
      strand = std::move(ending_.front());
      ending_.pop_front();
      status = *strand->ended;
      // A tile was lost after the job had all of them: on_error has told which, nobody ended the
      // strand again.
      if (status.ok() && strand->broken) status = absl::InternalError("a tile was not merged");
    }
    if (status.ok()) {
      status = strand->host->Finish();
      bool told = false;
      {
        absl::MutexLock lock(&mu_);
        told = FoundRoom(strand, &status);
      }
      if (told) callbacks_.on_waits_for_room(strand->host->name());
      if (IsNoRoom(status)) continue;
    }
    if (!status.ok()) strand->host->Abandon(status);
    callbacks_.on_ended(strand->host->name(), status);
  }
}

}  // namespace tilewright
