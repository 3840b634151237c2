// What is made of a finished canvas, and its words on a command line. Pure; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_EXPORT_REQUEST_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_EXPORT_REQUEST_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "coordinator/image/output_format.h"
#include "proto/geometry/rect.h"

namespace tilewright {

struct ExportRequest {
  OutputKind kind = OutputKind::kPng;
  Size size;              // pixels as stored; the canvas is resampled to it if that has another one
  TiffEncoding encoding;  // of kTiff; all others with JPEG or WebP in them take its quality
  bool overviews = false;  // of kTiff
  bool labels = false;     // reduced images take pixels as they are; nothing that loses bits
};

// KIND WIDTH HEIGHT QUALITY COMPRESSION LEVEL TILE OVERVIEWS SAMPLES.
std::vector<std::string> ExportWords(const ExportRequest& request);
// The inverse. INVALID_ARGUMENT for anything else.
absl::StatusOr<ExportRequest> ParseExportWords(absl::Span<char* const> words);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_EXPORT_REQUEST_H_
