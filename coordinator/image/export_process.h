// Runs the export child: libvips can crash on a write error, and must not take the coordinator with
// it. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_EXPORT_PROCESS_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_EXPORT_PROCESS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "coordinator/image/export_request.h"

namespace tilewright {

struct ExportCommand {
  std::string program;
  std::string from;  // the finished TIFF
  std::string to;    // overwritten; of kDzi the name without ".dzi" and "_files"
  ExportRequest request;
};

// Starts `<program> --export-child FROM TO WORDS...` (ExportWords) and waits for it. OK if it exits
// with 0.
// Otherwise an error with the first lines of its stderr: RESOURCE_EXHAUSTED if it says that the
// disk is full (IsNoRoom) or a file too large, INTERNAL if it exits otherwise or dies of a signal,
// DEADLINE_EXCEEDED if it is killed after `limit`, FAILED_PRECONDITION if it cannot be started.
absl::Status RunExportProcess(const ExportCommand& command, absl::Duration limit);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_EXPORT_PROCESS_H_
