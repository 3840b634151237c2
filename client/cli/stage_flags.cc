#include "client/cli/stage_flags.h"

#include <optional>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace tilewright {

absl::StatusOr<RenderRequest::Stage> ParseStage(const std::string& text) {
  const auto bad = [&text](const std::string& part) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--then is '", text, "', and '", part,
        "' in it makes no sense: give MODEL, then any of ,tile=PX ,overlap=PX ,halo=PX "
        ",window=NAME ,dtype=NAME ,sample=u8|u16|f16|f32"));
  };
  const std::vector<std::string> parts = absl::StrSplit(text, ',');
  RenderRequest::Stage stage;
  stage.model = parts.front();
  if (stage.model.empty()) return bad("");
  std::set<std::string> seen;
  for (size_t i = 1; i < parts.size(); ++i) {
    const std::pair<std::string, std::string> option =
        absl::StrSplit(parts[i], absl::MaxSplits('=', 1));
    const auto& [name, value] = option;
    if (value.empty() || !seen.insert(name).second) return bad(parts[i]);
    uint32_t pixels = 0;
    const bool number = absl::SimpleAtoi(value, &pixels);
    if (name == "tile" && number && pixels > 0) {
      stage.tile = pixels;
    } else if (name == "overlap" && number) {
      stage.overlap = pixels;
    } else if (name == "halo" && number) {
      stage.halo = pixels;
    } else if (name == "window") {
      stage.window = value;
    } else if (name == "dtype") {
      stage.dtype = value;
    } else if (name == "sample") {
      stage.sample = value;
    } else {
      return bad(parts[i]);
    }
  }
  return stage;
}

std::vector<std::string> StageTexts(const Plan& plan, const std::vector<uint64_t>& tiles_done) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < plan.stages.size(); ++i) {
    const PlannedStage& stage = plan.stages[i];
    texts.push_back(absl::StrCat(
        stage.model, ", ", i < tiles_done.size() ? absl::StrCat(tiles_done[i], " of ") : "",
        stage.tiles, " tiles (", stage.columns, " x ", stage.rows, ") of ", stage.tile_width, "x",
        stage.tile_height, ", halo ", stage.halo, ", overlap ", stage.overlap, " -> ",
        stage.output_width, "x", stage.output_height, " ", stage.output_sample));
  }
  return texts;
}

}  // namespace tilewright
