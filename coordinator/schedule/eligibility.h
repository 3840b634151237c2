// Policy: may a worker take a job's tiles at all? A stateless function; thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_ELIGIBILITY_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_ELIGIBILITY_H_

#include <cstdint>
#include <string>

#include "coordinator/schedule/types.h"

namespace tilewright::schedule {

// Why the worker may not: a clause that follows the worker's name ("does not run the engine torch
// (it has builtin)"); empty if it may. `memory_floor` is what a tile of this model and shape was
// seen to need, 0 if unknown.
std::string WhyNotEligible(const JobSpec& job, const WorkerOffer& offer, int64_t memory_floor);

// Bytes of a worker's credit that one tile of the job takes: its input and its largest result.
int64_t CreditBytesOfTile(const JobSpec& job);

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_ELIGIBILITY_H_
