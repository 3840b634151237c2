// The words for yes and no in environments and configuration files. A function without state, so
// thread-safe.

#ifndef TILEWRIGHT_PROTO_BASE_SWITCH_WORD_H_
#define TILEWRIGHT_PROTO_BASE_SWITCH_WORD_H_

#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"

namespace tilewright {

// "1", "true", "yes", "on" are true, "0", "false", "no", "off" are false, in any case; absent for
// any other word, which deserves a sentence: say true or false.
inline std::optional<bool> ParseSwitch(absl::string_view text) {
  const std::string word = absl::AsciiStrToLower(text);
  for (const char* yes : {"1", "true", "yes", "on"}) {
    if (word == yes) return true;
  }
  for (const char* no : {"0", "false", "no", "off"}) {
    if (word == no) return false;
  }
  return std::nullopt;
}

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_BASE_SWITCH_WORD_H_
