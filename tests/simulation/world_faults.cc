// The faults of a simulated cluster: when each happens, and what it does.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/simulation/world.h"

namespace tilewright::simulation {
void World::NextFault() {
  // One that is switched off still takes its turn, so that the others stay as they were.
  const std::vector<Fault> faults = plan_.drawn_faults.List();
  if (faults.empty() || healed_) return;
  queue_.After(plan_.fault_pause * chance_.Real(0.1, 1.9), [this, faults] {
    if (healed_ || AllEnded()) return;
    const Fault fault =
        faults[static_cast<size_t>(chance_.Below(static_cast<int64_t>(faults.size())))];
    if (budget_ > 0 && plan_.faults.Has(fault)) {
      --budget_;
      ++outcome_.faults;
      InjectFault(fault);
    }
    NextFault();
  });
}

void World::InjectFault(Fault fault) {
  trace_.Line("world", "fault", Name(fault));
  switch (fault) {
    case Fault::kCoordinatorCrash:
    case Fault::kCanvasLost:
      if (current_ == nullptr) return;
      if (fault == Fault::kCanvasLost) {
        current_->Die();
        store_.LoseCanvases();
      } else {
        current_->DieIn(static_cast<int>(chance_.Between(1, 12)));
      }
      return;
    case Fault::kTwoCoordinators:
      if (current_ == nullptr || rival_ != nullptr) return;
      // Nobody can reach it for a moment, so another one is started.
      rival_ = std::exchange(current_, nullptr);
      StartCoordinator();
      for (Session& session : sessions_) {
        if (!session.broken && session.coordinator == rival_ && chance_.Chance(0.7))
          Break(session, false);
      }
      queue_.After(chance_.Spread(absl::Seconds(1), 6), [this, rival = rival_] { rival->Die(); });
      return;
    case Fault::kPause:
    case Fault::kPriority:
    case Fault::kCancel:
    case Fault::kDrain:
    case Fault::kClear:
    case Fault::kResultsHeld:
    case Fault::kWavefront:
      InjectUserFault(fault);
      return;
    case Fault::kCutControl:
    case Fault::kCutInputs:
    case Fault::kCutResults:
    case Fault::kPartition:
    case Fault::kOneWay:
      InjectNetworkFault(fault, AnyWorker());
      return;
    default:
      InjectWorkerFault(fault, AnyWorker());
      return;
  }
}

void World::InjectNetworkFault(Fault fault, SimWorker& worker) {
  trace_.Line(worker.name(), "struck-by", Name(fault));
  Session* session = worker.session();
  switch (fault) {
    case Fault::kCutResults:
      if (worker.results() != nullptr) Break(*worker.results(), false);
      return;
    case Fault::kCutControl:
    case Fault::kCutInputs:  // without inputs a session is worth nothing: it begins anew
      if (session != nullptr) Break(*session, false);
      return;
    default:
      break;
  }
  const absl::Duration time = chance_.Spread(absl::Seconds(1), 6);
  const int64_t one = chance_.Below(2);
  for (int64_t direction = 0; direction < 2; ++direction) {
    if (fault == Fault::kPartition || direction == one)
      worker.line().blocked_until[static_cast<size_t>(direction)] = now() + time;
  }
  if (time < kKeepalive) return;
  queue_.After(kKeepalive, [this, &worker, session, results = worker.results()] {
    if (session != nullptr && worker.session() == session) Break(*session, false);
    if (results != nullptr && worker.results() == results) Break(*results, false);
  });
}

void World::InjectWorkerFault(Fault fault, SimWorker& worker) {
  trace_.Line(worker.name(), "struck-by", Name(fault));
  Ailments& ailments = worker.ailments();
  const absl::Duration time = chance_.Spread(absl::Seconds(2), 6);
  if ((fault == Fault::kSlowDown || fault == Fault::kHang) && fairness_.has_value())
    fairness_->Stop();
  switch (fault) {
    case Fault::kSlowDown:
      worker.SetSlow(chance_.Spread(4, 4));
      queue_.After(time, [&worker] { worker.SetSlow(1); });
      return;
    case Fault::kCrash:
      Crash(worker, chance_.Spread(absl::Milliseconds(300), 7));
      return;
    case Fault::kHang:
      if (ailments.hung) return;
      worker.SetHung(true);
      queue_.After(time * 4, [this, &worker, time] {
        if (!worker.ailments().hung) return;
        // Its watchdog loses patience, or the device comes back.
        if (time > absl::Seconds(15)) Crash(worker, absl::Seconds(1));
        worker.SetHung(false);
      });
      return;
    case Fault::kWrongDigest:
      ailments.wrong_digest = true;
      queue_.After(time, [&ailments] { ailments.wrong_digest = false; });
      return;
    case Fault::kWrongClass:
      ailments.wrong_class = true;
      queue_.After(time, [&ailments] { ailments.wrong_class = false; });
      return;
    case Fault::kOutOfMemory:
      ailments.fail_next = TileFailureCause::kOutOfMemory;
      return;
    case Fault::kTileFailure:
      ailments.fail_next = static_cast<TileFailureCause>(chance_.Below(6));
      if (ailments.fail_next == TileFailureCause::kOutOfMemory) ailments.fail_next = {};
      return;
    case Fault::kDamage:
      ailments.damage_next = true;
      return;
    case Fault::kLeave:
      ailments.stays_away = true;
      worker.Die();
      queue_.After(time * 2, [&worker] {
        worker.ailments().stays_away = false;
        worker.Start();
      });
      return;
    case Fault::kGiveUp:
      worker.GiveUpOne();
      return;
    case Fault::kStall:
      ailments.stall_next = true;
      return;
    case Fault::kCanary:
      ailments.canary_next = true;
      return;
    case Fault::kCredit:
      worker.ChangeCredit(static_cast<int>(chance_.Spread(1, 7)));
      return;
    case Fault::kOldResult:
      ailments.old_next = true;
      return;
    case Fault::kRepeat:
      ailments.repeat_next = true;
      return;
    default:
      return;
  }
}

void World::InjectUserFault(Fault fault) {
  if (current_ == nullptr) return;
  const std::string& job =
      plan_.jobs[static_cast<size_t>(chance_.Below(static_cast<int64_t>(plan_.jobs.size())))]
          .spec.name;
  const std::string worker = AnyWorker().name();
  const absl::Duration time = chance_.Spread(absl::Seconds(1), 6);
  const auto tell = [this](Event event) {
    if (current_ != nullptr) current_->Handle(event);
  };
  switch (fault) {
    case Fault::kPause:
      trace_.Line("user", "pause", job);
      tell(JobPaused{job});
      queue_.After(time, [tell, job] { tell(JobResumed{job}); });
      return;
    case Fault::kPriority:
      trace_.Line("user", "priority", job);
      tell(JobPriority{job, static_cast<int>(chance_.Between(kPriorityMin, kPriorityMax))});
      return;
    case Fault::kCancel:
      if (!chance_.Chance(0.05)) return;
      trace_.Line("user", "cancel", job);
      tell(JobStopped{job, "The user cancelled it."});
      return;
    case Fault::kDrain:
      trace_.Line("user", "drain", worker);
      if (progress_.has_value()) progress_->Drained(worker);
      tell(WorkerDrained{worker, chance_.Chance(0.5)});
      queue_.After(time, [tell, worker] { tell(WorkerResumed{worker}); });
      return;
    case Fault::kResultsHeld: {
      SimCoordinator* held = current_;  // it may die of this
      held->HoldResults(true);
      queue_.After(time, [held] { held->HoldResults(false); });
      return;
    }
    case Fault::kWavefront:
      TurnsBroken();
      if (fairness_.has_value()) fairness_->SetApart(job);
      tell(JobBudget{.job = job,
                     .tiles_ahead = static_cast<int64_t>(chance_.Spread(1, 6)),
                     .leased_max = static_cast<int64_t>(chance_.Spread(1, 4)) - 1});
      queue_.After(time, [tell, job] { tell(JobBudget{job}); });
      return;
    default:
      trace_.Line("user", "clear", worker);
      tell(BlocklistCleared{worker});
      return;
  }
}

void World::Heal() {
  if (healed_) return;
  healed_ = true;
  healed_at_ = now();
  trace_.Line("world", "heal", store_.jobs_ended(), " jobs have ended");
  if (rival_ != nullptr) rival_->Die();
  if (current_ != nullptr) {
    current_->LiveOn();
    current_->HoldResults(false);
  }
  for (const std::unique_ptr<SimWorker>& worker : workers_) worker->Heal();
  // Users undo what they did, also with a coordinator that is only just starting.
  queue_.After(absl::Seconds(30), [this] {
    if (current_ == nullptr) return checks_.Trouble("there is no coordinator in a healed cluster");
    for (const JobPlan& job : plan_.jobs) {
      current_->Handle(JobResumed{job.spec.name});
      current_->Handle(JobBudget{job.spec.name});
    }
    for (const std::unique_ptr<SimWorker>& worker : workers_)
      current_->Handle(WorkerResumed{worker->name()});
  });
}

}  // namespace tilewright::simulation
