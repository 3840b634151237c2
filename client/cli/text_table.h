// Tables and reports for people. Pure functions; thread-safe.

#ifndef TILEWRIGHT_CLIENT_CLI_TEXT_TABLE_H_
#define TILEWRIGHT_CLIENT_CLI_TEXT_TABLE_H_

#include <string>
#include <vector>

namespace tilewright {

// Rows of equal length as lines, columns two blanks apart, as wide as their widest cell (in
// characters, not bytes). No blanks at line ends.
std::string TextTable(const std::vector<std::vector<std::string>>& rows);

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_CLI_TEXT_TABLE_H_
