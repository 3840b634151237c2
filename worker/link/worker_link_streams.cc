// The side of the link that faces the coordinator: its streams, and what they say.

#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "proto/wire/host_id.h"
#include "proto/wire/version.h"
#include "worker/link/worker_link.h"

namespace tilewright {
namespace {

// A session that lasted this long was a good one: the next attempt comes soon.
constexpr absl::Duration kGoodSession = absl::Seconds(10);

// Whether trying again cannot help.
bool IsFinal(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kUnimplemented:
      return true;
    default:
      return false;
  }
}

std::string Words(const absl::Status& status) {
  return absl::StrCat(absl::StatusCodeToString(status.code()), ": ", status.message());
}

}  // namespace

void WorkerLink::OpenControl() {
  v1::WorkerEvent event;
  v1::Hello* hello = event.mutable_hello();
  hello->mutable_protocol()->set_major(kProtocolMajor);
  hello->mutable_protocol()->set_minor(kProtocolMinor);
  hello->set_build(options_.build);
  hello->set_host_id(HostId());
  hello->set_worker(options_.worker);
  hello->set_incarnation(options_.incarnation);
  *hello->mutable_capabilities() = capabilities_;
  for (std::string& digest : models_.Cached()) {
    hello->mutable_capabilities()->add_cached_models(std::move(digest));
  }
  hello->mutable_credits()->set_tiles(options_.limits.tiles);
  hello->mutable_credits()->set_bytes(options_.limits.bytes);
  hello->set_epoch_seen(book_.epoch());
  OfferSegment(hello);
  ControlCall::Listener listener;
  listener.events = [this](ControlCall& stream, v1::ControlResponse response) {
    OnControl(stream, std::move(response));
  };
  listener.ended = [this](std::shared_ptr<ControlCall> stream, const absl::Status& status) {
    OnControlEnded(std::move(stream), status);
  };
  ++streams_;
  // A callback of the new stream waits for the lock that we hold, so it finds control_ set.
  control_ = ControlCall::Open(*control_stub_, std::move(event), std::move(listener));
}

// Fresh memory for each session: nothing of an earlier one can be written into it.
void WorkerLink::OfferSegment(v1::Hello* hello) {
  if (!options_.shared_memory) return;
  absl::StatusOr<std::shared_ptr<Segment>> segment = Segment::Create(options_.limits.bytes);
  if (!segment.ok()) {
    spdlog::warn("no shared memory is offered ({})", Words(segment.status()));
    return;
  }
  segment_ = *std::move(segment);
  hello->add_features(std::string(kSegmentFeature));
  *hello->mutable_segment() = segment_->offer();
}

void WorkerLink::OpenInputs() {
  v1::ReceiveTilesRequest request;
  request.set_worker(options_.worker);
  request.set_incarnation(options_.incarnation);
  InputCall::Listener listener;
  listener.inputs = [this](std::vector<IncomingTile> tiles) { return OnInputs(std::move(tiles)); };
  listener.ended = [this](std::shared_ptr<InputCall> stream, const absl::Status& status) {
    OnInputsEnded(std::move(stream), status);
  };
  ++streams_;
  inputs_ = InputCall::Open(data_channel_, request, segment_, std::move(listener));
}

void WorkerLink::OpenResults() {
  ResultCall::Listener listener;
  listener.verdicts = [this](const v1::SubmitTilesResponse& response) { OnVerdicts(response); };
  listener.ended = [this](std::shared_ptr<ResultCall> stream, const absl::Status& status) {
    OnResultsEnded(std::move(stream), status);
  };
  ++streams_;
  results_ = ResultCall::Open(data_channel_, options_.worker, options_.incarnation,
                              in_session_ ? segment_ : nullptr, std::move(listener));
  results_->Enqueue(book_.Unacknowledged());
  results_->Flush();
}

void WorkerLink::OnControl(ControlCall& stream, v1::ControlResponse response) {
  absl::MutexLock lock(&mutex_);
  if (&stream != control_.get()) return;
  Events answers;
  bool work = false;
  for (v1::CoordinatorEvent& event : *response.mutable_events()) {
    if (!in_session_ && !event.has_hello() && !stopping_) {
      spdlog::error("coordinator {} spoke before it answered the hello", options_.coordinator);
      stream.Cancel();
      return;
    }
    switch (event.event_case()) {
      case v1::CoordinatorEvent::kHello:
        OnHello(stream, event.hello(), &answers);
        break;
      case v1::CoordinatorEvent::kGrant:
        OnGrant(std::move(*event.mutable_grant()), &answers);
        work = true;
        break;
      case v1::CoordinatorEvent::kTakeBack: {
        const LeaseRef lease = RefOf(event.take_back().lease());
        const auto& tiles = event.take_back().tiles();
        spdlog::debug("{}: {} tiles taken back: {}", ToString(lease),
                      tiles.empty() ? "all" : absl::StrCat(tiles.size()),
                      event.take_back().reason());
        if (book_.TakeBack(lease, {tiles.begin(), tiles.end()})) {
          *answers.emplace_back().mutable_dropped()->mutable_lease() = event.take_back().lease();
        }
        work = true;  // what is left of the lease may be a full batch now
        break;
      }
      case v1::CoordinatorEvent::kCanary:
        if (canaries_.size() < 64) {
          canaries_.push_back(std::move(*event.mutable_canary()));
          work = true;
        } else {
          v1::CanaryResult* result = answers.emplace_back().mutable_canary();
          result->set_canary(event.canary().canary());
          result->set_cause(v1::FAILURE_CAUSE_REFUSED);
          result->set_text("64 canaries wait already");
        }
        break;
      case v1::CoordinatorEvent::kSync:
        *answers.emplace_back().mutable_sync() = book_.Sync();
        break;
      case v1::CoordinatorEvent::EVENT_NOT_SET:
        break;  // of a later protocol
    }
  }
  // Grants that crossed our leaving are not held: a sync says so.
  if (draining_ && work) *answers.emplace_back().mutable_sync() = book_.Sync();
  if (!answers.empty()) stream.Send(std::move(answers));
  if (work) work_.Signal();
  WakeWhoWaitsToLeave();
}

void WorkerLink::OnHello(ControlCall& stream, const v1::HelloReply& reply, Events* answers) {
  if (in_session_ || stopping_) return;  // a stopping link opens nothing that nobody would close
  if (reply.protocol().major() != kProtocolMajor) {
    fatal_ = absl::FailedPreconditionError(
        absl::StrCat("the coordinator speaks protocol ", reply.protocol().major(), ".",
                     reply.protocol().minor(), ", this worker ", kProtocolMajor, ".",
                     kProtocolMinor, ": install the same version on both"));
    changed_.SignalAll();
    return;
  }
  if (absl::Status status = book_.BeginSession(reply.epoch()); !status.ok()) {
    spdlog::error("{}; trying again", std::string(status.message()));
    stream.Cancel();
    return;
  }
  const auto& features = reply.features();
  if (segment_) segment_->CloseOffer();
  if (std::find(features.begin(), features.end(), kSegmentFeature) == features.end()) {
    segment_ = nullptr;
  }
  spdlog::info("{} serves coordinator {} ({}), epoch {}, payloads {}", options_.worker,
               options_.coordinator, reply.build(), reply.epoch(),
               segment_ ? "in shared memory" : "inline");
  in_session_ = true;
  known_ = true;
  session_began_ = Now();
  if (reply.heartbeat_ms() > 0) heartbeat_ = absl::Milliseconds(reply.heartbeat_ms());
  // What was not said before the last session broke goes before the sync: it explains it.
  for (v1::WorkerEvent& event : unsent_) answers->push_back(std::move(event));
  unsent_.clear();
  *answers->emplace_back().mutable_sync() = book_.Sync();
  OpenInputs();
  // A stream of results that was opened before the hello may still be refused: the next comes soon.
  results_backoff_.Reset();
  results_at_ = Now();
  if (!results_) OpenResults();
  changed_.SignalAll();
  beat_.SignalAll();
}

void WorkerLink::OnGrant(v1::Lease lease, Events* answers) {
  const v1::LeaseId id = lease.id();
  const std::vector<uint64_t> tiles(lease.tiles().begin(), lease.tiles().end());
  spdlog::debug("{}: {} tiles of {}", ToString(RefOf(id)), tiles.size(), lease.stage().job());
  std::vector<RefusedTile> refused;
  const absl::Status status = book_.AddGrant(std::move(lease), &refused);
  AddRefused(std::move(refused), answers);
  if (status.ok()) return;
  spdlog::error("refused a grant: {}", std::string(status.message()));
  // A lease of another epoch, or one seen before, is nothing that the coordinator waits for.
  if (!absl::IsInvalidArgument(status) && !absl::IsResourceExhausted(status)) return;
  for (uint64_t index : tiles) {
    v1::TileFailed* failed = answers->emplace_back().mutable_failed();
    *failed->mutable_lease() = id;
    failed->set_index(index);
    failed->set_cause(v1::FAILURE_CAUSE_REFUSED);
    failed->set_text(std::string(status.message()));
    failed->set_batch(1);
  }
}

void WorkerLink::AddRefused(std::vector<RefusedTile> refused, Events* events) {
  for (RefusedTile& tile : refused) {
    spdlog::error("{} tile {}: {}", ToString(tile.lease), tile.index, tile.text);
    v1::TileFailed* failed = events->emplace_back().mutable_failed();
    *failed->mutable_lease() = ToProto(tile.lease);
    failed->set_index(tile.index);
    failed->set_cause(v1::FAILURE_CAUSE_REFUSED);
    failed->set_text(std::move(tile.text));
    failed->set_batch(1);
  }
}

void WorkerLink::OnControlEnded(std::shared_ptr<ControlCall> stream, const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  if (stream == control_) {
    control_ = nullptr;
    const bool was_served = std::exchange(in_session_, false);
    if (was_served && Now() - session_began_ >= kGoodSession) control_backoff_.Reset();
    book_.EndSession();
    if (inputs_) inputs_->Cancel();
    inputs_ = nullptr;
    segment_ = nullptr;
    if (IsFinal(status) && fatal_.ok() && !stopping_) {
      fatal_ = Annotate(
          status, absl::StrCat("coordinator ", options_.coordinator, " does not take this worker"));
    }
    const absl::Duration pause = control_backoff_.Next();
    control_at_ = Now() + pause;
    if (fatal_.ok() && !stopping_) {
      spdlog::warn("{} coordinator {} ({}); trying again in {} ms",
                   was_served ? "lost" : "cannot reach", options_.coordinator, Words(status),
                   absl::ToInt64Milliseconds(pause));
    }
  }
  StreamEnded(std::move(stream));
}

absl::Status WorkerLink::OnInputs(std::vector<IncomingTile> tiles) {
  absl::MutexLock lock(&mutex_);
  std::vector<RefusedTile> refused;
  TW_RETURN_IF_ERROR(book_.AddInputs(std::move(tiles), &refused));
  Events events;
  AddRefused(std::move(refused), &events);
  Tell(std::move(events));
  work_.Signal();
  return absl::OkStatus();
}

// Without inputs a session is worth nothing: it begins anew, and the sync says what got lost.
void WorkerLink::OnInputsEnded(std::shared_ptr<InputCall> stream, const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  if (stream == inputs_) {
    inputs_ = nullptr;
    if (!stopping_) spdlog::warn("the stream of inputs ended ({})", Words(status));
    if (control_ && !stopping_) control_->Cancel();
  }
  StreamEnded(std::move(stream));
}

void WorkerLink::OnVerdicts(const v1::SubmitTilesResponse& response) {
  absl::MutexLock lock(&mutex_);
  const bool full = book_.full();
  for (const v1::TileVerdict& verdict : response.verdicts()) {
    const LeaseRef lease = RefOf(verdict.lease());
    book_.Settle(lease, verdict.tile().index());
    if (verdict.verdict() == v1::TileVerdict::VERDICT_REFUSED) {
      spdlog::warn("{} {} tile {} was refused ({}): {}", verdict.tile().job(), ToString(lease),
                   verdict.tile().index(), verdict.reason(), verdict.text());
    }
  }
  results_backoff_.Reset();
  if (full && !book_.full()) work_.Signal();
  WakeWhoWaitsToLeave();
}

void WorkerLink::OnResultsEnded(std::shared_ptr<ResultCall> stream, const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  if (stream == results_) {
    results_ = nullptr;
    results_at_ = Now() + results_backoff_.Next();
    if (!stopping_) spdlog::warn("the stream of results ended ({})", Words(status));
    // The coordinator will not have them in any stream.
    if (absl::IsInvalidArgument(status) || absl::IsResourceExhausted(status)) {
      Events events;
      for (const OutgoingTile& result : book_.Unacknowledged()) {
        const LeaseRef lease = RefOf(result.header.lease());
        if (!book_.Fail(lease, result.header.tile().index())) continue;
        v1::TileFailed* failed = events.emplace_back().mutable_failed();
        *failed->mutable_lease() = result.header.lease();
        failed->set_index(result.header.tile().index());
        failed->set_cause(v1::FAILURE_CAUSE_BAD_RESULT);
        failed->set_text(Words(status));
        failed->set_batch(1);
      }
      Tell(std::move(events));
      work_.Signal();
    }
  }
  StreamEnded(std::move(stream));
}

void WorkerLink::StreamEnded(std::shared_ptr<void> stream) {
  ended_.push_back(std::move(stream));
  --streams_;
  changed_.SignalAll();
}

}  // namespace tilewright
