#include "coordinator/service/input_pump.h"

#include <algorithm>
#include <utility>

namespace tilewright {
namespace {

// Read and handed over together: small tiles share a message, big ones leave at once.
constexpr int kReadTilesMax = 64;
constexpr int64_t kReadBytesMax = 1 << 20;

}  // namespace

// Guarded by the pump's lock.
class InputPump::Feed {
 public:
  std::deque<Item> items;
  std::shared_ptr<InputSink> sink;
  bool queued = false;  // in ready_ or waiting_, or with a thread
  int64_t counted = 0;  // payload bytes of the sink, as of the latest look
};

InputPump::InputPump(const InputPumpOptions& options,
                     std::function<void(const std::string& job, const absl::Status&)> on_error)
    : options_(options), on_error_(std::move(on_error)) {
  for (int i = 0; i < options.threads; ++i) threads_.emplace_back([this] { Work(); });
}

InputPump::~InputPump() { Stop(); }

void InputPump::Stop() {
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

std::shared_ptr<InputPump::Feed> InputPump::NewFeed() { return std::make_shared<Feed>(); }

void InputPump::Attach(const std::shared_ptr<Feed>& feed, std::shared_ptr<InputSink> sink) {
  absl::MutexLock lock(&mu_);
  feed->sink = std::move(sink);
  Count(feed);
  Ready(feed);
}

void InputPump::Add(const std::shared_ptr<Feed>& feed, const std::shared_ptr<JobHost>& host,
                    LeaseKey lease, const std::vector<int64_t>& tiles) {
  absl::MutexLock lock(&mu_);
  for (const int64_t tile : tiles) feed->items.push_back(Item{host, lease, tile});
  Ready(feed);
}

void InputPump::Remove(const std::shared_ptr<Feed>& feed, LeaseKey lease,
                       const std::vector<int64_t>& tiles) {
  absl::MutexLock lock(&mu_);
  std::erase_if(feed->items, [&](const Item& item) {
    return item.lease == lease &&
           (tiles.empty() || std::find(tiles.begin(), tiles.end(), item.tile) != tiles.end());
  });
}

void InputPump::RemoveAll(const std::shared_ptr<Feed>& feed) {
  absl::MutexLock lock(&mu_);
  feed->items.clear();
}

void InputPump::Sent(const std::shared_ptr<Feed>& feed) {
  absl::MutexLock lock(&mu_);
  Count(feed);
  Ready(feed);
}

void InputPump::Count(const std::shared_ptr<Feed>& feed) {
  const int64_t bytes = feed->sink == nullptr ? 0 : feed->sink->pending_bytes();
  pending_bytes_ += bytes - feed->counted;
  feed->counted = bytes;
  if (pending_bytes_ < options_.all_pending_bytes_max) {
    ready_.insert(ready_.end(), waiting_.begin(), waiting_.end());
    waiting_.clear();
  } else if (bytes == 0 && std::erase(waiting_, feed) > 0) {
    ready_.push_back(feed);
  }
}

void InputPump::Ready(const std::shared_ptr<Feed>& feed) {
  if (feed->queued || feed->items.empty() || feed->sink == nullptr) return;
  if (feed->sink->pending_bytes() >= options_.pending_bytes_max) return;
  feed->queued = true;
  const bool room = feed->counted == 0 || pending_bytes_ < options_.all_pending_bytes_max;
  (room ? ready_ : waiting_).push_back(feed);
}

void InputPump::Serve(const std::shared_ptr<Feed>& feed) {
  std::vector<OutgoingTile> bundle;
  int64_t bytes = 0;
  std::shared_ptr<InputSink> sink;
  while (static_cast<int>(bundle.size()) < kReadTilesMax && bytes < kReadBytesMax) {
    Item item;
    {
      absl::MutexLock lock(&mu_);
      if (sink == nullptr) sink = feed->sink;
      // A bundle belongs to one stream: what follows a reattachment goes to the new one.
      if (feed->items.empty() || sink != feed->sink) break;
      item = std::move(feed->items.front());
      feed->items.pop_front();
    }
    absl::StatusOr<OutgoingTile> tile = item.host->ReadTile(item.tile, item.lease);
    if (absl::IsCancelled(tile.status())) continue;
    if (!tile.ok()) {
      on_error_(item.host->name(), tile.status());
      continue;
    }
    if (tile->payload != nullptr) bytes += static_cast<int64_t>(tile->payload->size());
    bundle.push_back(*std::move(tile));
  }
  if (sink != nullptr && !bundle.empty()) sink->Send(std::move(bundle));
}

void InputPump::Work() {
  while (true) {
    std::shared_ptr<Feed> feed;
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(this, &InputPump::HasWork));
      if (stopped_) return;
      feed = std::move(ready_.front());
      ready_.pop_front();
    }
    Serve(feed);
    absl::MutexLock lock(&mu_);
    feed->queued = false;
    Count(feed);
    Ready(feed);
  }
}

}  // namespace tilewright
