// What the dispatcher does about results: checks, verdicts, and the way to merging.

#include <spdlog/spdlog.h>

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/jobs/wire_types.h"
#include "coordinator/service/dispatcher.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

v1::TileVerdict::Verdict ToWire(Verdict verdict) {
  switch (verdict) {
    case Verdict::kAccepted:
      return v1::TileVerdict::VERDICT_ACCEPTED;
    case Verdict::kDuplicate:
      return v1::TileVerdict::VERDICT_DUPLICATE;
    case Verdict::kRefused:
    case Verdict::kDoubted:
      return v1::TileVerdict::VERDICT_REFUSED;
  }
  return v1::TileVerdict::VERDICT_UNSPECIFIED;
}

// Moves the records out; the rest, if there is any.
std::unique_ptr<Decisions> Split(Decisions decisions, std::vector<Record>* records) {
  records->insert(records->end(), std::make_move_iterator(decisions.records.begin()),
                  std::make_move_iterator(decisions.records.end()));
  decisions.records.clear();
  const bool empty = decisions.take_backs.empty() && decisions.canaries.empty() &&
                     decisions.grants.empty() && decisions.sync_requests.empty() &&
                     decisions.disconnects.empty() && decisions.job_starts.empty() &&
                     decisions.holes.empty() && decisions.job_ends.empty() &&
                     decisions.notices.empty();
  return empty ? nullptr : std::make_unique<Decisions>(std::move(decisions));
}

}  // namespace

void Dispatcher::Settle(Peer& peer, LeaseKey lease, int64_t tile) {
  const auto found = peer.held.find(lease);
  if (found == peer.held.end()) return;
  HeldTiles& held = found->second;
  for (size_t i = 0; i < held.tiles.size(); ++i) {
    const size_t at = (held.next + i) % held.tiles.size();
    if (held.tiles[at] != tile) continue;
    held.tiles[at] = -1;
    held.next = at + 1;
    if (--held.open == 0) peer.held.erase(found);
    return;
  }
}

absl::Status Dispatcher::CheckResult(const std::string& worker, const std::string& incarnation,
                                     const IncomingTile& tile, const RunningJob* job) const {
  const v1::TileHeader& header = tile.header;
  const v1::TileIdentity& identity = header.tile();
  if (header.worker() != worker || header.incarnation() != incarnation) {
    return WithReason(absl::InvalidArgumentError(absl::StrCat(
                          "the result names worker '", header.worker(), "' (", header.incarnation(),
                          "), its stream belongs to '", worker, "' (", incarnation, ")")),
                      "WORKER_MISMATCH");
  }
  if (job == nullptr) return absl::OkStatus();
  const v1::StageSpec& stage = job->host->stage();
  if (identity.stage() != stage.stage() || identity.frame() != 0 || identity.pass() != 0) {
    return WithReason(
        absl::InvalidArgumentError(absl::StrCat(
            "the result is of stage ", identity.stage(), ", frame ", identity.frame(), ", pass ",
            identity.pass(), ", the job has only stage 0, frame 0, pass 0")),
        "STAGE_MISMATCH");
  }
  // Pixels are looked at only if they are meant for this plan; else the scheduler says what
  // differs.
  if (identity.generation() != stage.generation() || header.plan_digest() != stage.plan_digest() ||
      header.model_digest() != stage.model_digest()) {
    return absl::OkStatus();
  }
  if (!tile.intact) {
    return WithReason(
        absl::DataLossError(absl::StrCat("the checksum of tile ", identity.index(), " from ",
                                         worker, " does not match its bytes")),
        "CHECKSUM_MISMATCH");
  }
  return job->host->CheckResult(header, static_cast<int64_t>(tile.payload.size()));
}

Dispatcher::Judged Dispatcher::Judge(const std::string& worker, const std::string& incarnation,
                                     IncomingTile& tile, Instant now,
                                     std::vector<Record>* records) {
  const v1::TileHeader& header = tile.header;
  const v1::TileIdentity& identity = header.tile();
  const LeaseKey lease = FromWire(header.lease());
  const std::string stage = StageNamed(identity);
  const auto found = jobs_.find(stage);
  const bool running = found != jobs_.end() && !found->second.ended;
  const bool ended = found != jobs_.end() ? found->second.ended : ended_.contains(stage);
  Judged judged;
  judged.stage = stage;
  judged.tile = static_cast<int64_t>(identity.index());
  const absl::Status checked =
      CheckResult(worker, incarnation, tile, running ? &found->second : nullptr);
  if (!checked.ok()) {
    TileFailed failure;
    failure.worker = worker;
    failure.lease = lease;
    failure.tile = judged.tile;
    failure.cause = TileFailureCause::kBadResult;
    failure.text = std::string(checked.message());
    spdlog::warn("{} tile {} lease {}.{} refused: {}", identity.job(), identity.index(),
                 lease.epoch, lease.sequence, failure.text);
    judged.verdict = VerdictOn{Verdict::kRefused, ReasonOf(checked), failure.text};
    judged.decisions = Split(scheduler_.Handle(failure, now), records);
    return judged;
  }
  ResultArrived result;
  result.job = stage;
  result.generation = identity.generation();
  result.tile = judged.tile;
  result.lease = lease;
  result.worker = worker;
  result.incarnation = incarnation;
  result.plan_digest = header.plan_digest();
  result.model_digest = header.model_digest();
  result.numeric_class = header.numeric_class();
  result.checksum = header.checksum();
  result.constant = header.cost().constant_result();
  result.bytes = static_cast<int64_t>(tile.payload.size());
  Decisions decisions = scheduler_.Handle(result, now);
  judged.verdict = std::move(decisions.verdict).value_or(VerdictOn{});
  judged.decisions = Split(std::move(decisions), records);
  if (running && judged.verdict.verdict == Verdict::kAccepted) {
    found->second.host->OnCost(worker, judged.tile, header.cost());
    judged.strand = found->second.strand;
    judged.samples = std::move(tile.payload);
  } else if (ended) {
    // The scheduler may have forgotten the job: its result is late, not strange.
    judged.verdict = VerdictOn{Verdict::kDuplicate, "", absl::StrCat(identity.job(), " has ended")};
  } else if (found == jobs_.end()) {
    spdlog::warn("{} tile {} of worker {} refused: no such job", identity.job(), judged.tile,
                 worker);
  }
  return judged;
}

absl::StatusOr<std::vector<v1::TileVerdict>> Dispatcher::Results(const std::string& worker,
                                                                 const std::string& incarnation,
                                                                 std::vector<IncomingTile> tiles) {
  std::vector<v1::TileVerdict> verdicts(tiles.size());
  absl::MutexLock lock(&mu_);
  if (!broken_.ok()) return broken_;
  const Instant now = clock_.Now();
  // All are judged before their records are persisted together.
  std::vector<Judged> judged;
  judged.reserve(tiles.size());
  std::vector<Record> records;
  records.reserve(tiles.size());
  for (IncomingTile& tile : tiles) {
    judged.push_back(Judge(worker, incarnation, tile, now, &records));
  }
  if (!Persist(records)) return broken_;
  for (size_t i = 0; i < tiles.size(); ++i) {
    // The tile is queued before its acceptance can end the job.
    if (judged[i].strand != nullptr)
      merges_.Add(judged[i].strand, judged[i].tile, std::move(judged[i].samples));
    if (judged[i].decisions != nullptr) CarryOut(*judged[i].decisions);
    const auto peer = peers_.find(worker);
    const v1::TileHeader& header = tiles[i].header;
    if (peer != peers_.end()) {
      Settle(peer->second, FromWire(header.lease()), static_cast<int64_t>(header.tile().index()));
    }
    verdicts[i].set_verdict(ToWire(judged[i].verdict.verdict));
    verdicts[i].set_reason(std::move(judged[i].verdict.reason));
    verdicts[i].set_text(std::move(judged[i].verdict.text));
    *verdicts[i].mutable_tile() = std::move(*tiles[i].header.mutable_tile());
    *verdicts[i].mutable_lease() = header.lease();
  }
  for (size_t i = 0; i < tiles.size(); ++i) {
    if (judged[i].strand != nullptr) CountHeld(judged[i].stage);
  }
  if (scheduler_.next_deadline() < time_keeper_wakes_) time_changed_.Signal();
  return verdicts;
}

}  // namespace tilewright
