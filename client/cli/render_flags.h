// The options that renderings have in common, and the settings behind them. Thread-compatible.

#ifndef TILEWRIGHT_CLIENT_CLI_RENDER_FLAGS_H_
#define TILEWRIGHT_CLIENT_CLI_RENDER_FLAGS_H_

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/progress_reporter.h"
#include "client/cli/settings.h"
#include "tilewright/types.h"

namespace tilewright {

// As they were typed; what has no text of its own stands in `request`.
struct RenderFlags {
  RenderRequest request;
  std::vector<std::string> then;
  std::optional<std::string> region;
  std::optional<std::string> scale;
  std::optional<std::string> tile_timeout;
  std::optional<std::string> max_duration;
  std::optional<std::string> on_failed_tile;
  std::optional<std::string> compression;
  std::optional<std::string> compression_level;
  std::optional<std::string> jpeg_quality;
  std::optional<std::string> tiff_tile;
  std::optional<std::string> progress;
};

// Adds the options for all but the paths of input and output; `flags` must outlive the parsing.
void AddRenderFlags(CLI::App& command, RenderFlags& flags);

// Completes `request` by texts and settings; the mode in which progress is shown.
// INVALID_ARGUMENT names the flag or setting that makes no sense.
absl::StatusOr<ProgressMode> ResolveRenderFlags(const Settings& settings, RenderFlags& flags);

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_CLI_RENDER_FLAGS_H_
