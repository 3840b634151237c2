#include "coordinator/schedule/sentences.h"

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace tilewright::schedule {
namespace {

constexpr size_t kTilesListed = 8;
constexpr size_t kQuotedBytes = 300;

}  // namespace

std::string TileList(absl::Span<const int64_t> tiles) {
  if (tiles.empty()) return "no tile";
  if (tiles.size() == 1) return absl::StrCat("tile ", tiles[0]);
  std::vector<std::string> parts;
  for (int64_t tile : tiles) {
    if (parts.size() == kTilesListed && tiles.size() > kTilesListed + 1) {
      parts.push_back(absl::StrCat(tiles.size() - kTilesListed, " more"));
      break;
    }
    parts.push_back(absl::StrCat(tile));
  }
  return absl::StrCat("tiles ", JoinAnd(parts));
}

std::string JoinAnd(const std::vector<std::string>& parts) {
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) absl::StrAppend(&text, i + 1 == parts.size() ? " and " : ", ");
    absl::StrAppend(&text, parts[i]);
  }
  return text;
}

std::string SecondsText(absl::Duration d) {
  const double seconds = absl::ToDoubleSeconds(d);
  if (seconds >= 100) return absl::StrFormat("%.0f s", seconds);
  return absl::StrFormat("%.3g s", seconds);
}

std::string BytesText(int64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  while (value >= 1024 && unit < 4) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? absl::StrCat(bytes, " B") : absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

std::string ShortDigest(const std::string& digest) { return digest.substr(0, 12); }

std::string Quoted(const std::string& text) {
  std::string quoted = text.substr(0, kQuotedBytes);
  while (!quoted.empty() &&
         (quoted.back() == '.' || quoted.back() == ' ' || quoted.back() == '\n')) {
    quoted.pop_back();
  }
  return quoted;
}

}  // namespace tilewright::schedule
