#include "client/cli/settings.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "proto/base/switch_word.h"

namespace tilewright {
namespace {

const std::vector<std::string>& Names() {
  static const auto* const names = new std::vector<std::string>{
      "compression",  "compression-level", "coordinator",    "insecure",
      "jpeg-quality", "keep-partial",      "max-duration",   "overviews",
      "progress",     "tiff-tile",         "on-failed-tile", "tile-timeout"};
  return *names;
}

std::string VariableOf(const std::string& name) {
  return absl::StrCat("TILEWRIGHT_",
                      absl::AsciiStrToUpper(absl::StrReplaceAll(name, {{"-", "_"}})));
}

}  // namespace

Environment ProcessEnvironment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr || *value == '\0') return std::nullopt;
    return value;
  };
}

Settings::Settings(std::map<std::string, std::string> file, Environment environment)
    : file_(std::move(file)), environment_(std::move(environment)) {}

absl::StatusOr<Settings> Settings::Parse(absl::string_view text, absl::string_view file,
                                         Environment environment) {
  std::map<std::string, std::string> values;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    const std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits('=', 1));
    const std::string name(absl::StripAsciiWhitespace(parts[0]));
    if (parts.size() != 2 || std::find(Names().begin(), Names().end(), name) == Names().end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          file, ":", number, ": '", line, "' is no setting; write NAME = VALUE, with NAME one of ",
          absl::StrJoin(Names(), ", ")));
    }
    if (!values.emplace(name, absl::StripAsciiWhitespace(parts[1])).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(file, ":", number, ": '", name, "' stands here for the second time"));
    }
  }
  return Settings(std::move(values), std::move(environment));
}

absl::StatusOr<Settings> Settings::Load(const std::optional<std::string>& flag,
                                        Environment environment) {
  std::optional<std::string> path = flag.has_value() ? flag : environment("TILEWRIGHT_CONFIG");
  const bool required = path.has_value();
  if (!required) {
    if (const auto folder = environment("XDG_CONFIG_HOME"); folder.has_value()) {
      path = absl::StrCat(*folder, "/tilewright/config");
    } else if (const auto home = environment("HOME"); home.has_value()) {
      path = absl::StrCat(*home, "/.config/tilewright/config");
    } else {
      return Parse("", "", std::move(environment));
    }
  }
  std::ifstream file(*path);
  if (!file) {
    if (!required) return Parse("", "", std::move(environment));
    return absl::InvalidArgumentError(
        absl::StrCat("the configuration file '", *path, "' cannot be read"));
  }
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return Parse(text, *path, std::move(environment));
}

std::string Settings::Resolve(const std::string& name, const std::optional<std::string>& flag,
                              const std::string& fallback) const {
  if (flag.has_value()) return *flag;
  if (const auto value = environment_(VariableOf(name)); value.has_value()) return *value;
  const auto found = file_.find(name);
  return found == file_.end() ? fallback : found->second;
}

absl::StatusOr<bool> Settings::ResolveSwitch(const std::string& name, bool flag) const {
  if (flag) return true;
  const std::string value = Resolve(name, std::nullopt, "0");
  if (const std::optional<bool> known = ParseSwitch(value)) return *known;
  return absl::InvalidArgumentError(absl::StrCat("setting '", name, "' (", VariableOf(name),
                                                 ") is '", value, "': say true or false"));
}

}  // namespace tilewright
