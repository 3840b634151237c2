// Bugs planted on purpose: the simulator must catch each (tests/simulation). Only its library is
// compiled with TILEWRIGHT_PLANTED_BUGS; everywhere else Planted is false and costs nothing. There
// the planted bug is a variable of the process, set before a simulation begins; not thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_PLANTED_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_PLANTED_H_

namespace tilewright::schedule {

enum class PlantedBug {
  kNone,
  kNoGenerationCheck,     // results of an earlier generation are accepted
  kNoAcceptedCheck,       // a second result of a tile is accepted as well
  kForgottenLease,        // the tiles of a lease that ends unsettled are not offered again
  kLapseIsFailure,        // a lapse is charged like a failure
  kNoHedging,             // nothing is taken back or copied at the end of a job
  kNoQuarantine,          // nobody is put aside
  kStarvedLowPriority,    // the most urgent job gets everything
  kNothingHeldBack,       // tiles of later stages begin before what they read is there
  kCreditsAreIncrements,  // a level of credits is added to what was left
};

#ifdef TILEWRIGHT_PLANTED_BUGS
inline PlantedBug planted_bug = PlantedBug::kNone;
inline bool Planted(PlantedBug bug) { return planted_bug == bug; }
#else
constexpr bool Planted(PlantedBug /*bug*/) { return false; }
#endif

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_PLANTED_H_
