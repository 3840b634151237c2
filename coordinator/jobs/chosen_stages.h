// Which tiles of each stage of a job are computed: backwards from what is wanted of the last one.
// Functions of values; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_CHOSEN_STAGES_H_
#define TILEWRIGHT_COORDINATOR_JOBS_CHOSEN_STAGES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "coordinator/jobs/resolve_job.h"
#include "coordinator/plan/wanted_tiles.h"
#include "coordinator/schedule/continued.h"

namespace tilewright {

// Sets, in each stage before the last, the tiles without which those in `open` of the last stage
// cannot be computed, and the number of tiles that the scheduler is told.
void ChooseBefore(const WantedTiles& open, ResolvedJob* job);

// The wanted tiles of the last stage that are still to be computed, if it goes on from those.
WantedTiles OpenTiles(const ResolvedJob& job, const ContinuedTiles& done);

// Tiles of the plan that are not computed, by stage.
std::vector<int64_t> SkippedTiles(const ResolvedJob& job);
// Adds a sentence for each of several stages that has such tiles.
void NoteSkipped(const ResolvedJob& job, std::vector<std::string>* notes);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_CHOSEN_STAGES_H_
