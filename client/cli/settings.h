// Where an option's value comes from: flag, then environment, then configuration file, then
// default. Immutable once made; thread-safe.

#ifndef TILEWRIGHT_CLIENT_CLI_SETTINGS_H_
#define TILEWRIGHT_CLIENT_CLI_SETTINGS_H_

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tilewright {

// Value of an environment variable, or nothing if it is unset or empty. Injected, so that tests
// need none.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment ProcessEnvironment();

class Settings {
 public:
  // Reads "name = value" lines; "#" starts a comment line. INVALID_ARGUMENT, with file name and
  // line, for a line that is neither, a name that is no setting, or one given twice.
  static absl::StatusOr<Settings> Parse(absl::string_view text, absl::string_view file,
                                        Environment environment);

  // Reads the file named by the flag, else by TILEWRIGHT_CONFIG, else
  // $XDG_CONFIG_HOME/tilewright/config or
  // ~/.config/tilewright/config. Only the last two may be absent.
  static absl::StatusOr<Settings> Load(const std::optional<std::string>& flag,
                                       Environment environment);

  // The value of a setting by the rule above. The variable of "tile-timeout" is
  // TILEWRIGHT_TILE_TIMEOUT.
  std::string Resolve(const std::string& name, const std::optional<std::string>& flag,
                      const std::string& fallback) const;

  // The same for a switch. INVALID_ARGUMENT unless the value is 1, true, yes, on, 0, false, no or
  // off.
  absl::StatusOr<bool> ResolveSwitch(const std::string& name, bool flag) const;

 private:
  Settings(std::map<std::string, std::string> file, Environment environment);

  std::map<std::string, std::string> file_;
  Environment environment_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_CLI_SETTINGS_H_
