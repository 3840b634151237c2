// Tables and reports for people. Pure functions; thread-safe.

#ifndef TILEWRIGHT_CLIENT_CLI_TEXT_TABLE_H_
#define TILEWRIGHT_CLIENT_CLI_TEXT_TABLE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace tilewright {

// Rows of equal length as lines, columns two blanks apart, as wide as their widest cell (in
// characters, not bytes). No blanks at line ends.
std::string TextTable(const std::vector<std::vector<std::string>>& rows);

// The text with control characters, which could move a terminal's cursor or hide the rest, replaced
// by "?". Names and messages come from elsewhere; TextTable does it by itself.
std::string Printable(absl::string_view text);

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_CLI_TEXT_TABLE_H_
