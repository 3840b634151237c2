// What the dispatcher does about workers: hellos, reports, data streams.

#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/jobs/wire_types.h"
#include "coordinator/service/dispatcher.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

constexpr int kCreditTilesMax = 1 << 20;
constexpr int kMemoryModelsMax = 64;

WorkerOffer OfferOf(const v1::Hello& hello) {
  const v1::Capabilities& capabilities = hello.capabilities();
  WorkerOffer offer;
  offer.engines.insert(capabilities.engines().begin(), capabilities.engines().end());
  offer.dtypes.insert(capabilities.dtypes().begin(), capabilities.dtypes().end());
  for (const v1::EngineOffer& engine : capabilities.engine_offers()) {
    offer.engine_dtypes[engine.name()].insert(engine.dtypes().begin(), engine.dtypes().end());
  }
  offer.memory_bytes = static_cast<int64_t>(capabilities.memory_total_bytes());
  offer.probe_flops = capabilities.probe_flops();
  offer.environment_key = capabilities.environment_key();
  offer.credit_tiles =
      static_cast<int>(std::min<uint32_t>(hello.credits().tiles(), kCreditTilesMax));
  offer.credit_bytes = static_cast<int64_t>(hello.credits().bytes());
  return offer;
}

HeldState StateOf(v1::HeldLease::State state) {
  switch (state) {
    case v1::HeldLease::STATE_PREPARING:
      return HeldState::kPreparing;
    case v1::HeldLease::STATE_RUNNING:
      return HeldState::kRunning;
    case v1::HeldLease::STATE_FINISHED:
      return HeldState::kFinished;
    default:
      return HeldState::kQueued;
  }
}

TileFailureCause CauseOf(v1::FailureCause cause) {
  switch (cause) {
    case v1::FAILURE_CAUSE_OUT_OF_MEMORY:
      return TileFailureCause::kOutOfMemory;
    case v1::FAILURE_CAUSE_LAUNCH_TIMEOUT:
      return TileFailureCause::kLaunchTimeout;
    case v1::FAILURE_CAUSE_DEVICE_LOST:
      return TileFailureCause::kDeviceLost;
    case v1::FAILURE_CAUSE_BAD_RESULT:
      return TileFailureCause::kBadResult;
    case v1::FAILURE_CAUSE_REFUSED:
      return TileFailureCause::kRefused;
    default:
      return TileFailureCause::kModelError;
  }
}

WorkerSynced SyncOf(const std::string& worker, const v1::WorkerSync& sync) {
  WorkerSynced synced;
  synced.worker = worker;
  synced.seen_grant_sequence = sync.seen_grant_sequence();
  synced.credit_tiles =
      static_cast<int>(std::min<uint32_t>(sync.credits().tiles(), kCreditTilesMax));
  synced.credit_bytes = static_cast<int64_t>(sync.credits().bytes());
  for (const v1::HeldLease& held : sync.held()) {
    HeldLease lease;
    lease.lease = FromWire(held.lease());
    lease.state = StateOf(held.state());
    lease.open_tiles.assign(held.open_tiles().begin(), held.open_tiles().end());
    lease.job = held.job();
    lease.generation = held.generation();
    synced.held.push_back(std::move(lease));
  }
  return synced;
}

// What may change while a worker works; the scheduler goes by its hello and by the tiles it takes.
void Refresh(const v1::Capabilities& measured, v1::Capabilities* known) {
  if (measured.memory_free_bytes() > 0) {
    known->set_memory_free_bytes(measured.memory_free_bytes());
  }
  known->set_probe_flops(measured.probe_flops());
  for (v1::EngineOffer& offer : *known->mutable_engine_offers()) {
    for (const v1::EngineOffer& now : measured.engine_offers()) {
      if (now.name() != offer.name()) continue;
      offer.set_reference_seconds_per_mpx(now.reference_seconds_per_mpx());
    }
  }
  *known->mutable_memory_models() = measured.memory_models();
  if (const int excess = known->memory_models_size() - kMemoryModelsMax; excess > 0) {
    known->mutable_memory_models()->DeleteSubrange(kMemoryModelsMax, excess);
  }
}

absl::Status CheckHello(const v1::Hello& hello) {
  if (hello.protocol().major() != kProtocolMajor) {
    return WithReason(
        absl::FailedPreconditionError(absl::StrCat(
            "worker '", hello.worker(), "' speaks protocol ", hello.protocol().major(), ".",
            hello.protocol().minor(), " and this coordinator ", kProtocolMajor, ".", kProtocolMinor,
            ": install the same version of Tilewright on both machines")),
        "PROTOCOL_MISMATCH");
  }
  if (hello.worker().empty() || hello.worker().size() > 128 || hello.incarnation().empty() ||
      hello.incarnation().size() > 128) {
    return WithReason(
        absl::InvalidArgumentError("a hello must name the worker and its incarnation, 1 to 128 "
                                   "bytes each"),
        "BAD_HELLO");
  }
  return absl::OkStatus();
}

// What the worker offers, mapped; UNIMPLEMENTED if it offers nothing.
absl::StatusOr<std::shared_ptr<Segment>> MapOffer(const v1::Hello& hello,
                                                  const DispatcherOptions& options) {
  const auto& features = hello.features();
  const bool offered =
      std::find(features.begin(), features.end(), kSegmentFeature) != features.end();
  if (!options.shared_memory || !offered || hello.host_id() != options.host_id) {
    return absl::UnimplementedError("no memory to share");
  }
  return Segment::Open(hello.segment());
}

}  // namespace

absl::Status Dispatcher::Hello(const v1::Hello& hello, std::shared_ptr<ControlSink> control) {
  const absl::Status checked = CheckHello(hello);
  if (!checked.ok()) return checked;
  absl::StatusOr<std::shared_ptr<Segment>> segment = MapOffer(hello, options_);
  absl::MutexLock lock(&mu_);
  if (stopping_) return absl::UnavailableError("the coordinator is shutting down");
  if (!broken_.ok()) return broken_;
  if (!peers_.contains(hello.worker()) && static_cast<int>(peers_.size()) >= options_.workers_max) {
    absl::erase_if(peers_, [](const auto& entry) {
      return entry.second.control == nullptr && entry.second.inputs == nullptr &&
             entry.second.held.empty();
    });
    if (static_cast<int>(peers_.size()) >= options_.workers_max) {
      return absl::ResourceExhaustedError(
          absl::StrCat("this coordinator knows ", peers_.size(), " workers, as many as it takes"));
    }
  }
  Peer& peer = peers_[hello.worker()];
  if (peer.feed == nullptr) peer.feed = pump_.NewFeed();
  if (peer.control != nullptr) {
    peer.control->Close(absl::AbortedError(absl::StrCat(
        "another connection of worker '", hello.worker(), "' took over: names must be unique")));
  }
  if (peer.incarnation != hello.incarnation()) {
    if (peer.inputs != nullptr) {
      peer.inputs->Close(absl::AbortedError("another process took over this worker's name"));
      peer.inputs = nullptr;
      pump_.Attach(peer.feed, nullptr);
    }
    pump_.RemoveAll(peer.feed);
    peer.held.clear();
  }
  for (auto& [lease, held] : peer.held) held.take_backs = 0;  // answers went with their stream
  peer.incarnation = hello.incarnation();
  peer.build = hello.build();
  peer.capabilities = hello.capabilities();
  peer.control = std::move(control);
  peer.segment = segment.ok() ? *std::move(segment) : nullptr;
  if (!segment.ok() && !absl::IsUnimplemented(segment.status()) && peer.segment_refused.empty()) {
    peer.segment_refused = std::string(segment.status().message());
    spdlog::warn(
        "worker '{}' is on this machine, but its memory cannot be shared ({}): payloads travel "
        "inline",
        hello.worker(), peer.segment_refused);
  }

  v1::CoordinatorEvent event;
  v1::HelloReply* reply = event.mutable_hello();
  reply->mutable_protocol()->set_major(kProtocolMajor);
  reply->mutable_protocol()->set_minor(kProtocolMinor);
  reply->set_build(options_.build);
  reply->set_host_id(options_.host_id);
  if (peer.segment != nullptr) reply->add_features(std::string(kSegmentFeature));
  reply->set_epoch(options_.epoch);
  reply->set_heartbeat_ms(static_cast<uint32_t>(absl::ToInt64Milliseconds(options_.heartbeat)));
  reply->set_liveness_ms(
      static_cast<uint32_t>(absl::ToInt64Milliseconds(options_.schedule.liveness)));
  peer.control->Send({std::move(event)});
  Handle(WorkerJoined{hello.worker(), hello.incarnation(), OfferOf(hello)}, clock_.Now());
  return broken_;
}

void Dispatcher::Heard(const std::string& worker, const ControlSink* control,
                       const v1::ControlRequest& request) {
  absl::MutexLock lock(&mu_);
  const auto found = peers_.find(worker);
  if (found == peers_.end() || found->second.control.get() != control) return;
  const Instant now = clock_.Now();
  Handle(WorkerHeard{worker}, now);
  for (const v1::WorkerEvent& event : request.events()) {
    if (found->second.control.get() != control) return;  // its stream ended meanwhile
    HandleWorkerEvent(worker, found->second, event, now);
  }
}

void Dispatcher::HandleWorkerEvent(const std::string& worker, Peer& peer,
                                   const v1::WorkerEvent& event, Instant now) {
  switch (event.event_case()) {
    case v1::WorkerEvent::kSync: {
      const WorkerSynced synced = SyncOf(worker, event.sync());
      ForgetLost(peer, synced);
      return Handle(synced, now);
    }
    case v1::WorkerEvent::kStarted:
      return Handle(LeaseStarted{worker, FromWire(event.started().lease())}, now);
    case v1::WorkerEvent::kPreparing:
      return Handle(
          LeasePreparing{worker, FromWire(event.preparing().lease()), event.preparing().progress()},
          now);
    case v1::WorkerEvent::kFailed: {
      const v1::TileFailed& failed = event.failed();
      TileFailed failure;
      failure.worker = worker;
      failure.lease = FromWire(failed.lease());
      failure.tile = static_cast<int64_t>(failed.index());
      failure.cause = CauseOf(failed.cause());
      failure.text = failed.text();
      failure.peak_bytes = static_cast<int64_t>(failed.peak_bytes());
      failure.batch = std::max<int>(1, static_cast<int>(failed.batch()));
      spdlog::info("tile {} lease {}.{} failed on {}: {}", failed.index(), failed.lease().epoch(),
                   failed.lease().sequence(), worker, failed.text());
      if (const auto held = peer.held.find(failure.lease); held != peer.held.end()) {
        const auto job = jobs_.find(held->second.job);
        if (job != jobs_.end()) job->second.host->OnCost(worker, failure.tile, failed.cost());
      }
      Settle(peer, failure.lease, failure.tile);
      return Handle(failure, now);
    }
    case v1::WorkerEvent::kCanary:
      // The class counts whatever comes of the excerpt: only a report misses it.
      if (const absl::Status kept =
              excerpts_.Keep(event.canary().digest(), event.canary().excerpt());
          !kept.ok()) {
        spdlog::warn("canary {} of worker '{}': {}", event.canary().canary(), worker,
                     std::string(kept.message()));
      }
      return Handle(CanaryMeasured{worker, event.canary().canary(), event.canary().digest(),
                                   event.canary().seconds(), event.canary().text()},
                    now);
    case v1::WorkerEvent::kDropped: {
      const LeaseKey lease = FromWire(event.dropped().lease());
      const auto held = peer.held.find(lease);
      if (held != peer.held.end() && held->second.take_backs > 0) {
        --held->second.take_backs;  // the rest of the lease stays
      } else if (held != peer.held.end()) {
        pump_.Remove(peer.feed, lease, {});
        peer.held.erase(held);
      }
      return Handle(LeaseDropped{worker, lease}, now);
    }
    case v1::WorkerEvent::kHeartbeat:
      if (const uint64_t free = event.heartbeat().memory_free_bytes(); free > 0) {
        peer.capabilities.set_memory_free_bytes(free);
      }
      return;
    case v1::WorkerEvent::kMeasured:
      return Refresh(event.measured(), &peer.capabilities);
    case v1::WorkerEvent::kHello:
    case v1::WorkerEvent::EVENT_NOT_SET:
      return;  // having been heard is all there is to it
  }
}

void Dispatcher::ForgetLost(Peer& peer, const WorkerSynced& synced) {
  std::map<LeaseKey, std::set<int64_t>> open;
  for (const HeldLease& held : synced.held) {
    open[held.lease].insert(held.open_tiles.begin(), held.open_tiles.end());
  }
  for (auto it = peer.held.begin(); it != peer.held.end();) {
    const auto lease = it++;  // Settle may erase it
    if (lease->first.sequence > synced.seen_grant_sequence) continue;
    const LeaseKey key = lease->first;
    const std::vector<int64_t> tiles = lease->second.tiles;
    for (const int64_t tile : tiles) {
      if (tile >= 0 && !open[key].contains(tile)) Settle(peer, key, tile);
    }
  }
}

void Dispatcher::ControlClosed(const std::string& worker, const ControlSink* control) {
  absl::MutexLock lock(&mu_);
  const auto found = peers_.find(worker);
  if (found == peers_.end() || found->second.control.get() != control) return;
  found->second.control = nullptr;
  found->second.segment = nullptr;  // streams that use it keep it until they end
  Handle(StreamClosed{worker, found->second.incarnation}, clock_.Now());
}

absl::Status Dispatcher::CheckWorker(const std::string& worker,
                                     const std::string& incarnation) const {
  absl::MutexLock lock(&mu_);
  const auto found = peers_.find(worker);
  if (found != peers_.end() && found->second.incarnation == incarnation) return absl::OkStatus();
  return WithReason(
      absl::FailedPreconditionError(absl::StrCat(
          "worker '", worker, "' (incarnation '", incarnation,
          "') has not said hello: open the control stream first, then the data streams")),
      "UNKNOWN_WORKER");
}

std::shared_ptr<Segment> Dispatcher::SegmentOf(const std::string& worker,
                                               const std::string& incarnation) const {
  absl::MutexLock lock(&mu_);
  const auto found = peers_.find(worker);
  if (found == peers_.end() || found->second.incarnation != incarnation) return nullptr;
  return found->second.segment;
}

absl::StatusOr<std::shared_ptr<InputPump::Feed>> Dispatcher::AttachInputs(
    const std::string& worker, const std::string& incarnation, std::shared_ptr<InputSink> inputs) {
  const absl::Status known = CheckWorker(worker, incarnation);
  if (!known.ok()) return known;
  absl::MutexLock lock(&mu_);
  const auto found = peers_.find(worker);
  if (found == peers_.end()) return absl::UnavailableError("the coordinator is shutting down");
  Peer& peer = found->second;
  if (peer.inputs != nullptr) {
    peer.inputs->Close(absl::AbortedError("another stream of inputs took over"));
  }
  peer.inputs = std::move(inputs);
  // What an earlier stream may have lost is sent again; the worker drops what it has.
  pump_.RemoveAll(peer.feed);
  for (const auto& [lease, held] : peer.held) {
    const auto job = jobs_.find(held.job);
    if (job == jobs_.end()) continue;
    std::vector<int64_t> open;
    std::copy_if(held.tiles.begin(), held.tiles.end(), std::back_inserter(open),
                 [](int64_t tile) { return tile >= 0; });
    pump_.Add(peer.feed, job->second.host, lease, open);
  }
  pump_.Attach(peer.feed, peer.inputs);
  return peer.feed;
}

void Dispatcher::DetachInputs(const std::string& worker, const InputSink* inputs) {
  absl::MutexLock lock(&mu_);
  const auto found = peers_.find(worker);
  if (found == peers_.end() || found->second.inputs.get() != inputs) return;
  found->second.inputs = nullptr;
  pump_.Attach(found->second.feed, nullptr);
}

}  // namespace tilewright
