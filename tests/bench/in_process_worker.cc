#include "tests/bench/in_process_worker.h"

#include <cstdio>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "proto/base/status_macros.h"
#include "proto/wire/checksum.h"
#include "proto/wire/tile_types.h"

namespace tilewright {
namespace {

constexpr char kIncarnation[] = "one";
constexpr absl::Duration kHeartbeat = absl::Seconds(1);

// What the tile contributes of its input.
IncomingTile ContributionOf(const OutgoingTile& input, const std::string& worker) {
  IncomingTile result;
  result.header = input.header;
  result.header.set_worker(worker);
  result.header.set_incarnation(kIncarnation);
  v1::Tensor* const tensor = result.header.mutable_tensors(0);
  const Rect from = FromWire(tensor->rect());
  const Rect part = FromWire(input.header.contribution());
  const int64_t pixel = static_cast<int64_t>(input.payload->size()) / from.area();
  *tensor->mutable_rect() = input.header.contribution();
  const int64_t row_bytes = part.width * pixel;
  result.payload.reserve(static_cast<size_t>(part.area() * pixel));
  for (int64_t y = 0; y < part.height; ++y) {
    const std::byte* const row =
        input.payload->data() + ((part.y - from.y + y) * from.width + part.x - from.x) * pixel;
    result.payload.insert(result.payload.end(), row, row + row_bytes);
  }
  tensor->mutable_inline_()->set_bytes(result.payload.size());
  result.header.set_payload_bytes(result.payload.size());
  // Once, as whoever receives it does.
  result.header.set_checksum(Checksum(result.payload));
  result.intact = true;
  return result;
}

}  // namespace

absl::StatusOr<std::shared_ptr<InProcessWorker>> InProcessWorker::Join(Dispatcher& dispatcher,
                                                                       const std::string& name) {
  v1::Hello hello;
  hello.mutable_protocol()->set_major(1);
  hello.set_worker(name);
  hello.set_incarnation(kIncarnation);
  hello.mutable_capabilities()->add_engines("builtin");
  hello.mutable_capabilities()->add_dtypes("fp32");
  hello.mutable_capabilities()->set_probe_flops(1e12);
  hello.mutable_capabilities()->set_memory_total_bytes(uint64_t{1} << 34);
  hello.mutable_capabilities()->set_environment_key("in process");
  hello.mutable_credits()->set_tiles(2048);
  hello.mutable_credits()->set_bytes(uint64_t{256} << 20);
  std::shared_ptr<InProcessWorker> worker(new InProcessWorker(dispatcher, name));
  TW_RETURN_IF_ERROR(dispatcher.Hello(hello, worker));
  TW_ASSIGN_OR_RETURN(worker->feed_, dispatcher.AttachInputs(name, kIncarnation, worker));
  worker->thread_ = std::thread([self = worker.get()] { self->Work(); });
  return worker;
}

void InProcessWorker::Stop() {
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
  }
  thread_.join();
}

// Of grants the tiles suffice; a lease taken back is computed all the same, which is allowed.
void InProcessWorker::Send(std::vector<v1::CoordinatorEvent> /*events*/) {}

void InProcessWorker::Send(std::vector<OutgoingTile> tiles) {
  absl::MutexLock lock(&mu_);
  for (OutgoingTile& tile : tiles) {
    pending_bytes_ += static_cast<int64_t>(tile.payload->size());
    tiles_.push_back(std::move(tile));
  }
}

int64_t InProcessWorker::pending_bytes() const {
  absl::MutexLock lock(&mu_);
  return pending_bytes_;
}

void InProcessWorker::Resume() {
  absl::MutexLock lock(&mu_);
  held_up_ = false;
}

void InProcessWorker::Close(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  if (stopped_) return;
  std::fprintf(stderr, "%s: closed: %s\n", name_.c_str(), std::string(status.message()).c_str());
}

void InProcessWorker::Say(const v1::WorkerEvent& event) {
  v1::ControlRequest request;
  *request.add_events() = event;
  dispatcher_.Heard(name_, this, request);
}

void InProcessWorker::Work() {
  uint64_t lease = 0;  // the one that runs
  absl::Time beat = absl::Now();
  while (true) {
    std::optional<OutgoingTile> tile;
    {
      absl::MutexLock lock(&mu_);
      mu_.AwaitWithTimeout(absl::Condition(this, &InProcessWorker::HasWork), kHeartbeat);
      if (stopped_) return;
      if (!tiles_.empty() && !held_up_) {
        tile = std::move(tiles_.front());
        tiles_.pop_front();
        pending_bytes_ -= static_cast<int64_t>(tile->payload->size());
      }
    }
    if (absl::Now() - beat > kHeartbeat) {
      v1::WorkerEvent alive;
      alive.mutable_heartbeat();
      Say(alive);
      beat = absl::Now();
    }
    if (!tile.has_value()) continue;
    dispatcher_.InputsSent(feed_);
    if (tile->header.lease().sequence() != lease) {
      lease = tile->header.lease().sequence();
      v1::WorkerEvent started;
      *started.mutable_started()->mutable_lease() = tile->header.lease();
      Say(started);
    }
    std::vector<IncomingTile> results;
    results.push_back(ContributionOf(*tile, name_));
    tile.reset();
    const auto verdicts = dispatcher_.Results(name_, kIncarnation, std::move(results));
    if (!verdicts.ok()) return Close(verdicts.status());
    {
      absl::MutexLock lock(&mu_);
      held_up_ = true;
    }
    if (dispatcher_.HasRoom(shared_from_this())) Resume();
  }
}

}  // namespace tilewright
