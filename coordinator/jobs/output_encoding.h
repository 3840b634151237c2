// How the TIFF of a job's output is packed: as its request says. What that leaves open is, under a
// mask, as in the input, so that what is not marked can be copied. Thread-safe: functions of
// values.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_OUTPUT_ENCODING_H_
#define TILEWRIGHT_COORDINATOR_JOBS_OUTPUT_ENCODING_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "coordinator/jobs/resolve_job.h"

namespace tilewright {

// Fills `encoding`; wants the inputs, `kind` and `written`. A sentence for users is added to
// `notes` where it follows the input. INVALID_ARGUMENT, without a reason, for what cannot be
// written.
absl::Status ResolveEncoding(ResolvedJob* job, std::vector<std::string>* notes);

// Whether the output takes tiles of the input as they are stored where nothing is marked.
bool CopiesTiles(const ResolvedJob& job);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_OUTPUT_ENCODING_H_
