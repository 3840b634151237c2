// The supervisor's standing as JSON, for other programs. A pure function and one that writes a
// file; thread-safe.
//
// The file holds one object, and stays as it was if the supervisor is killed:
//   version      1; raised when a member changes its meaning
//   supervisor   id of the supervisor's process
//   state        "running", "draining" (it was told to end) or "ended"
//   workers      one object a worker:
//     name         as the coordinator lists it
//     device       "cpu" or "cuda:K", of this life or the next one
//     asked_device the device that --devices asked for; differs after a fall-back to the CPU
//     state        "waiting" (for its next start), "running", "draining", "stopping" or "ended"
//     since        when that state began, RFC 3339, UTC
//     next_start   only if waiting: when it starts again
//     process      id of its process; 0 if there is none
//     starts       how often it was started
//     rung         0 whole batches, 1 half batches, 2 single tiles, 3 sub-tiles
//     last_end     why its last life ended, in words; "" before the first end

#ifndef TILEWRIGHT_WORKER_SUPERVISOR_STATUS_FILE_H_
#define TILEWRIGHT_WORKER_SUPERVISOR_STATUS_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "proto/base/instant.h"
#include "worker/supervisor/fleet.h"

namespace tilewright {

// `now` and `wall_now` are the same moment on the steady clock and for people.
std::string StatusJson(const Fleet& fleet, int supervisor, Instant now, absl::Time wall_now);

// Puts `text` at `path` in one step: a reader sees the old file or the new one. UNAVAILABLE says
// what the file system said.
absl::Status WriteWhole(const std::string& path, absl::string_view text);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_SUPERVISOR_STATUS_FILE_H_
