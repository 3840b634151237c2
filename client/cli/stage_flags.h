// A further stage as it is typed: MODEL[,OPTION=VALUE]… Pure functions; thread-safe.

#ifndef TILEWRIGHT_CLIENT_CLI_STAGE_FLAGS_H_
#define TILEWRIGHT_CLIENT_CLI_STAGE_FLAGS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tilewright/types.h"

namespace tilewright {

// "sharpen,tile=256,halo=8": tile, overlap, halo, window, dtype and sample, each once.
// INVALID_ARGUMENT with what would do.
absl::StatusOr<RenderRequest::Stage> ParseStage(const std::string& text);

// Of several stages, for people: "stage 0  12 of 40". Empty without stages.
std::vector<std::string> StageTexts(const Plan& plan, const std::vector<uint64_t>& tiles_done);

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_CLI_STAGE_FLAGS_H_
