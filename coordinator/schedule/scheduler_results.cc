// Results: what is accepted, ignored or refused, and what follows.

#include <algorithm>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "coordinator/schedule/planted.h"
#include "coordinator/schedule/scheduler_impl.h"
#include "coordinator/schedule/sentences.h"

namespace tilewright {

using schedule::Planted;
using schedule::PlantedBug;
using schedule::ShortDigest;
using schedule::TileMark;
using schedule::TileState;

void Scheduler::Impl::On(const ResultArrived& event) {
  Job* job = FindJob(event.job);
  Worker* worker = FindWorker(event.worker);
  Lease* lease = FindLease(event.lease, event.worker);
  if (lease != nullptr &&
      ((lease->job != nullptr && lease->job != job) || worker->incarnation != event.incarnation)) {
    lease = nullptr;
  }
  const int64_t position = lease == nullptr ? -1 : lease->Find(event.tile);
  const bool open = position >= 0 && lease->marks[position] != TileMark::kSettled;

  std::string numeric_class;
  VerdictOn verdict = Judge(event, job, worker, &numeric_class);
  if (open && verdict.verdict != Verdict::kRefused) {
    if (lease->job != nullptr && !lease->earlier.has_value()) Measure(*lease, position);
    if (lease->marks[position] == TileMark::kWanted)
      ready_.Correct(job->group->account, lease->charge, ChargeOf(*job, *worker));
  }
  std::optional<schedule::DoubtedResult> doubted;
  if (verdict.verdict == Verdict::kAccepted) {
    if (const auto* trouble = job->tiles.trouble(event.tile)) doubted = trouble->doubted;
  }
  switch (verdict.verdict) {
    case Verdict::kAccepted:
      Accept(*job, event, worker, open ? lease : nullptr, numeric_class);
      break;
    case Verdict::kDoubted:
      Tell(job, "result_doubted", event.tile, event.worker, verdict.text);
      break;
    case Verdict::kDuplicate:
      if (job->active()) {
        Tell(job, "duplicate_ignored", event.tile, event.worker,
             absl::StrCat("A result of tile ", event.tile, " from worker ", event.worker,
                          " is ignored: ", verdict.text));
      }
      break;
    case Verdict::kRefused:
      // Of a forgotten job thousands may be on their way; the shell knows which jobs there were.
      if (job == nullptr) break;
      Tell(job, "result_refused", event.tile, event.worker,
           absl::StrCat("A result of tile ", event.tile, " from worker ", event.worker,
                        " is refused: ", verdict.text));
      break;
  }
  const bool good = verdict.verdict == Verdict::kAccepted || verdict.verdict == Verdict::kDuplicate;
  if (open && good && !lease->overdue) GoodTile(*worker);
  const bool wanted = open && lease->marks[position] == TileMark::kWanted;
  if (open) SettleTile(*lease, position);
  if (verdict.verdict == Verdict::kRefused && wanted) {
    // A worker that answers its own lease with something else would do so for ever.
    ChargeWorker(job, *worker, true);
    ChargeTile(*job, *worker, event.tile, absl::StrCat("a refused result (", verdict.reason, ")"));
    ReviewStanding(*worker, job);
  }
  if (verdict.verdict == Verdict::kDoubted) Doubt(*job, event);
  if (doubted.has_value()) SettleDoubt(*job, *doubted, event);
  if (verdict.verdict == Verdict::kAccepted) EndIfDone(*job);
  out_.verdict = std::move(verdict);
}

VerdictOn Scheduler::Impl::Judge(const ResultArrived& event, Job* job, const Worker* worker,
                                 std::string* numeric_class) const {
  const auto refuse = [](std::string reason, std::string text) {
    return VerdictOn{Verdict::kRefused, std::move(reason), std::move(text)};
  };
  if (job == nullptr)
    return refuse("UNKNOWN_JOB", absl::StrCat("There is no job ", event.job, "."));
  const JobSpec& spec = job->spec;
  if (event.generation != spec.generation && !Planted(PlantedBug::kNoGenerationCheck)) {
    return refuse("GENERATION_MISMATCH",
                  absl::StrCat("The result is of generation ", event.generation, ", the job of ",
                               spec.generation, "."));
  }
  if (event.plan_digest != spec.plan_digest) {
    return refuse("PLAN_MISMATCH",
                  absl::StrCat("The result is of plan ", ShortDigest(event.plan_digest),
                               ", the job of ", ShortDigest(spec.plan_digest), "."));
  }
  if (event.model_digest != spec.model_digest) {
    return refuse("MODEL_MISMATCH",
                  absl::StrCat("The result is of model ", ShortDigest(event.model_digest),
                               ", the job of ", ShortDigest(spec.model_digest), "."));
  }
  if (event.tile < 0 || event.tile >= spec.tile_count) {
    return refuse("UNKNOWN_TILE", absl::StrCat("The job has ", spec.tile_count,
                                               " tiles, none is number ", event.tile, "."));
  }
  if (!job->active()) return {Verdict::kDuplicate, "", "The job has ended."};
  if (worker != nullptr && worker->quarantine.has_value() && worker->quarantine->refuse_results &&
      (event.lease.epoch != epoch_ || event.lease.sequence <= worker->quarantine->last_lease)) {
    return refuse("WORKER_QUARANTINED",
                  absl::StrCat("Worker ", event.worker, " is quarantined for bad results."));
  }
  std::string foreign = ClassMismatch(*job, event, worker, numeric_class);
  if (!foreign.empty()) return refuse("CLASS_MISMATCH", std::move(foreign));
  if (job->tiles.state(event.tile) == TileState::kAccepted &&
      !Planted(PlantedBug::kNoAcceptedCheck)) {
    return {Verdict::kDuplicate, "", "Another result of the tile was accepted before."};
  }
  if (job->tiles.state(event.tile) == TileState::kHole)
    return {Verdict::kDuplicate, "", "The tile was left out of the picture before."};
  if (IsDoubtful(*job, event)) {
    return {Verdict::kDoubted, "CONSTANT_RESULT",
            absl::StrCat("The result of tile ", event.tile, " from worker ", event.worker,
                         " is one constant though its input is not; it is computed once more.")};
  }
  return {Verdict::kAccepted, "", "Accepted."};
}

void Scheduler::Impl::Accept(Job& job, const ResultArrived& event, Worker* worker,
                             const Lease* lease, const std::string& numeric_class) {
  if (lease == nullptr || !lease->live()) {
    Tell(&job, "late_result_accepted", event.tile, event.worker,
         absl::StrCat("Tile ", event.tile, " came late from worker ", event.worker, " (lease ",
                      NameOf(event.lease), ") and is accepted."));
  } else {
    worker->lapses_in_row = 0;
  }
  TileCloses(job, event.tile);
  job.tiles.MarkAccepted(event.tile);
  job.tenant->open_bytes -= job.spec.output_bytes;
  UpdateReady(job);
  job.tiles_by_worker[event.worker]++;
  if (job.classes.find(numeric_class) == job.classes.end()) job.classes.insert(numeric_class);
  job.last_accept = now_;
  if (worker != nullptr) worker->accepted_tiles++;
  Keep(job, {.kind = Record::Kind::kTileAccepted,
             .number = event.tile,
             .value = numeric_class,
             .worker = event.worker});

  const schedule::TileTable::Attempts attempts = job.tiles.attempts(event.tile);
  for (uint64_t sequence : attempts) {
    Lease& other = *FindLease(sequence);
    if (&other != lease)
      TakeBackTiles(other, {event.tile}, "Another worker's result was accepted.");
  }
}

bool Scheduler::Impl::IsDoubtful(const Job& job, const ResultArrived& event) const {
  if (!event.constant || job.constants_confirmed >= options_.constants_confirmed) return false;
  const schedule::TileTrouble* trouble = job.tiles.trouble(event.tile);
  return trouble == nullptr || !trouble->doubted.has_value() ||
         trouble->doubted->checksum != event.checksum;
}

void Scheduler::Impl::Doubt(Job& job, const ResultArrived& event) {
  if (job.tiles.closed(event.tile)) return;  // it waits for the user
  schedule::TileTrouble& trouble = job.tiles.MutableTrouble(event.tile);
  if (!trouble.doubted.has_value()) {
    trouble.doubted = {event.worker, event.checksum};
    trouble.On(event.worker).uncharged++;  // others first
    return;
  }
  std::set<std::string> names = {trouble.doubted->worker, event.worker};
  trouble.doubted.reset();
  for (const std::string& name : names) {
    Worker* worker = FindWorker(name);
    if (worker == nullptr) continue;
    ChargeWorker(&job, *worker, true);
    ChargeTile(job, *worker, event.tile, "a constant result that came out different");
    ReviewStanding(*worker, &job);
  }
}

void Scheduler::Impl::SettleDoubt(Job& job, const schedule::DoubtedResult& doubted,
                                  const ResultArrived& event) {
  if (event.constant) {
    job.constants_confirmed++;
    return;
  }
  Tell(&job, "result_refused", event.tile, doubted.worker,
       absl::StrCat("The constant result of tile ", event.tile, " from worker ", doubted.worker,
                    " is refused: worker ", event.worker, " computed another one."));
  Worker* worker = FindWorker(doubted.worker);
  if (worker == nullptr) return;
  ChargeWorker(&job, *worker, true);
  ReviewStanding(*worker, &job);
}

void Scheduler::Impl::Measure(Lease& lease, int64_t position) {
  // Results and reports travel on different streams: a result may overtake the Started of its
  // lease.
  if (!lease.started.has_value()) {
    if (!lease.head_since.has_value()) return;
    Start(lease, *lease.head_since);
  }
  if (WasHeld(lease)) return;  // it waited for us
  Stage& stage = *lease.job->stage;
  Worker& worker = *lease.worker;
  auto [at, inserted] = stage.workers.try_emplace(worker.id);
  if (inserted) worker.stages.push_back(&stage);
  // The last executed batch of a lease may be a short one, which is padded.
  const int batch = std::max(lease.job->spec.executed_batch, 1);
  const int64_t count = static_cast<int64_t>(lease.tiles.size());
  const int64_t rest = count % batch;
  const double tiles = position >= count - rest ? static_cast<double>(batch) / rest : 1;
  const int was = at->second.speed_class;
  at->second.seconds.Add(now_ - lease.busy_since, tiles, batch);
  lease.busy_since = now_;
  lease.tile_estimate = at->second.seconds.Mean();
  SetSpeed(stage, worker, at->second, true);
  if (worker.offer.probe_flops > 0) {
    const double work = worker.offer.probe_flops * absl::ToDoubleSeconds(lease.tile_estimate);
    stage.probe_work = stage.probe_work > 0 ? stage.probe_work * 0.9 + work * 0.1 : work;
  }
  TrackFinishes(worker);
  if (at->second.speed_class > was && was != schedule::SpeedOrder::kNone && !idle_.empty())
    AskAgain(*lease.job, options_.lease_work_min);  // it slowed down: others may win now
}

}  // namespace tilewright
