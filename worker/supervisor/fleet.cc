#include "worker/supervisor/fleet.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tilewright {
namespace {

constexpr absl::string_view kRungs[] = {"whole batches", "half batches", "single tiles",
                                        "sub-tiles"};

std::string Seconds(absl::Duration duration) {
  return absl::FormatDuration(absl::Trunc(duration, absl::Milliseconds(1)));
}

}  // namespace

absl::string_view ToString(SlotState state) {
  switch (state) {
    case SlotState::kWaiting:
      return "waiting";
    case SlotState::kRunning:
      return "running";
    case SlotState::kDraining:
      return "draining";
    case SlotState::kStopping:
      return "stopping";
    case SlotState::kEnded:
      return "ended";
  }
  return "unknown";
}

// Another device under the same name would inherit its speed and its failures.
std::string Slot::Name() const {
  return policy.on_cpu() ? absl::StrCat(place.name, "-on-cpu") : place.name;
}

Fleet::Fleet(const FleetOptions& options, const Places& places,
             const std::function<double()>& random, Instant now)
    : options_(options), fallback_threads_(places.fallback_threads) {
  for (const WorkerPlace& place : places.workers) {
    const bool gpu = place.device != "cpu";
    slots_.emplace_back(place, RestartPolicy(options.restart, gpu, random));
    Enter(slots_.back(), SlotState::kWaiting, now, now);
  }
}

void Fleet::Enter(Slot& slot, SlotState state, Instant now, Instant due) {
  slot.state = state;
  slot.since = now;
  slot.due = due;
}

Orders Fleet::OnTick(Instant now) {
  Orders orders;
  for (size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (now < slot.due) continue;
    slot.due = Instant::Never();
    const std::string name = slot.Name();
    switch (slot.state) {
      case SlotState::kWaiting:
        orders.push_back(Launch{i, name, slot.Device(),
                                slot.policy.on_cpu() ? fallback_threads_ : slot.place.threads,
                                slot.policy.rung()});
        break;
      case SlotState::kRunning:
        orders.push_back(
            Say{false, absl::StrCat(name, ": healthy with ", kRungs[slot.policy.rung()], " for ",
                                    Seconds(now - slot.began), "; starting again with more")});
        orders.push_back(SendSignal{slot.process, SIGTERM});
        slot.comes_again = true;
        Enter(slot, SlotState::kDraining, now, now + options_.drain + options_.grace);
        break;
      case SlotState::kDraining:
        orders.push_back(Say{true, absl::StrCat(name, ": has not drained in time; stop now")});
        orders.push_back(SendSignal{slot.process, SIGTERM});
        Enter(slot, SlotState::kStopping, now, now + options_.grace);
        break;
      case SlotState::kStopping:
        orders.push_back(Say{true, absl::StrCat(name, ": does not stop; killed")});
        orders.push_back(SendSignal{slot.process, SIGKILL});
        break;
      case SlotState::kEnded:
        break;
    }
  }
  return orders;
}

Orders Fleet::Started(size_t index, int process, Instant now) {
  Slot& slot = slots_[index];
  slot.process = process;
  slot.began = now;
  ++slot.starts;
  Enter(slot, SlotState::kRunning, now, now + slot.policy.patience());
  return {Say{false, absl::StrCat(slot.Name(), ": process ", process, " on ", slot.Device(),
                                  ", with ", kRungs[slot.policy.rung()])}};
}

Orders Fleet::NotStarted(size_t index, const std::string& why, Instant now) {
  return Lost(slots_[index], {Death::Kind::kNotStarted, why}, absl::ZeroDuration(), now);
}

Orders Fleet::OnEnd(int process, const ProcessEnd& end, Instant now) {
  const auto slot = std::find_if(slots_.begin(), slots_.end(), [process](const Slot& candidate) {
    return process > 0 && candidate.process == process;
  });
  if (slot == slots_.end()) return {};
  slot->process = 0;
  const Death death = Examine(end);
  const bool asked = slot->state != SlotState::kRunning;
  const bool comes_again = std::exchange(slot->comes_again, false);
  if (!asked) return Lost(*slot, death, now - slot->began, now);

  slot->last_end = death.words;
  const std::string name = slot->Name();
  if (!comes_again) {
    Enter(*slot, SlotState::kEnded, now, Instant::Never());
    return {Say{death.kind != Death::Kind::kStopped, absl::StrCat(name, ": ", death.words)}};
  }
  // One that would not leave, or that died on its way out, has told us nothing about more work.
  if (death.kind != Death::Kind::kStopped) return Lost(*slot, death, now - slot->began, now);
  slot->policy.Relax();
  Enter(*slot, SlotState::kWaiting, now, now);
  return {};
}

Orders Fleet::Lost(Slot& slot, const Death& death, absl::Duration lived, Instant now) {
  const std::string name = slot.Name();
  const int rung = slot.policy.rung();
  const bool on_cpu = slot.policy.on_cpu();
  const std::optional<absl::Duration> pause = slot.policy.OnDeath(death, lived);
  slot.last_end = death.words;
  slot.usage = death.kind == Death::Kind::kUsage;
  std::string text = absl::StrCat(name, ": ", death.words);
  if (!pause) {
    Enter(slot, SlotState::kEnded, now, Instant::Never());
    absl::StrAppend(&text, "; not started again",
                    slot.usage ? ", its own words stand above" : ", because nobody here ended it");
    return {Say{true, std::move(text)}};
  }
  Enter(slot, SlotState::kWaiting, now, now + *pause);
  absl::StrAppend(&text, "; starting again in ", Seconds(*pause));
  if (slot.policy.on_cpu() != on_cpu) {
    absl::StrAppend(&text, " on the CPU as ", slot.Name(), ": ", slot.place.device,
                    " is given up until the supervisor starts again");
  } else if (slot.policy.rung() != rung) {
    absl::StrAppend(&text, " with ", kRungs[slot.policy.rung()]);
  }
  return {Say{true, std::move(text)}};
}

Orders Fleet::OnEndRequest(Instant now) {
  Orders orders;
  const bool again = std::exchange(ending_, true);
  orders.push_back(Say{
      false, again ? "told again to end: all workers stop now" : "told to end: all workers drain"});
  for (Slot& slot : slots_) {
    slot.comes_again = false;
    if (slot.state == SlotState::kWaiting) {
      Enter(slot, SlotState::kEnded, now, Instant::Never());
    } else if (slot.state == SlotState::kRunning && !again) {
      orders.push_back(SendSignal{slot.process, SIGTERM});
      Enter(slot, SlotState::kDraining, now, now + options_.drain + options_.grace);
    } else if (slot.state == SlotState::kDraining && again) {
      orders.push_back(SendSignal{slot.process, SIGTERM});
      Enter(slot, SlotState::kStopping, now, now + options_.grace);
    }
  }
  return orders;
}

Instant Fleet::next_due() const {
  Instant due = Instant::Never();
  for (const Slot& slot : slots_) due = std::min(due, slot.due);
  return due;
}

bool Fleet::over() const {
  return std::all_of(slots_.begin(), slots_.end(),
                     [](const Slot& slot) { return slot.state == SlotState::kEnded; });
}

int Fleet::exit_code() const {
  return std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.usage; }) ? 2
                                                                                                : 0;
}

}  // namespace tilewright
