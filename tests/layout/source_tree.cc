#include "tests/layout/source_tree.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace tilewright::layout {
namespace {

namespace fs = std::filesystem;

bool IsText(const fs::path& path) {
  static const auto* const kExtensions = new std::set<std::string>{
      ".h", ".cc", ".inc", ".proto", ".py", ".sh", ".cmake", ".textproto", ".md", ".txt"};
  return kExtensions->contains(path.extension().string());
}

}  // namespace

absl::StatusOr<SourceTree> ReadSourceTree(const std::string& root) {
  if (!fs::exists(fs::path(root) / "CMakeLists.txt")) {
    return absl::InvalidArgumentError(absl::StrCat(root, " is no source tree: no CMakeLists.txt"));
  }
  SourceTree tree;
  for (const fs::directory_entry& entry : fs::directory_iterator(root)) {
    tree.top_level.push_back(entry.path().filename().string());
  }
  std::sort(tree.top_level.begin(), tree.top_level.end());
  for (const char* folder : {"proto", "coordinator", "worker", "client", "deploy", "tests"}) {
    if (!fs::exists(fs::path(root) / folder)) continue;
    for (const fs::directory_entry& entry :
         fs::recursive_directory_iterator(fs::path(root) / folder)) {
      if (!entry.is_regular_file() || !IsText(entry.path())) continue;
      std::ifstream stream(entry.path(), std::ios::binary);
      tree.files.push_back({fs::relative(entry.path(), root).generic_string(),
                            std::string(std::istreambuf_iterator<char>(stream), {})});
    }
  }
  std::sort(tree.files.begin(), tree.files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return tree;
}

bool IsIn(const std::string& path, const std::string& folder) {
  return absl::StartsWith(path, absl::StrCat(folder, "/"));
}

bool IsHeader(const SourceFile& file) { return absl::EndsWith(file.path, ".h"); }

bool IsCode(const SourceFile& file) {
  return IsHeader(file) || absl::EndsWith(file.path, ".cc") || absl::EndsWith(file.path, ".inc");
}

std::vector<Include> IncludesOf(const SourceFile& file) {
  std::vector<Include> includes;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(file.text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (!absl::ConsumePrefix(&line, "#")) continue;
    line = absl::StripLeadingAsciiWhitespace(line);
    if (!absl::ConsumePrefix(&line, "include")) continue;
    line = absl::StripLeadingAsciiWhitespace(line);
    const bool quoted = absl::ConsumePrefix(&line, "\"");
    if (!quoted && !absl::ConsumePrefix(&line, "<")) continue;
    const size_t end = line.find(quoted ? '"' : '>');
    if (end == absl::string_view::npos) continue;
    includes.push_back({number, std::string(line.substr(0, end)), quoted});
  }
  return includes;
}

std::string CodeOnly(const std::string& text) {
  enum class In { kCode, kLineComment, kBlockComment, kString, kCharacter, kRawString };
  std::string code = text;
  std::string raw_end;
  In in = In::kCode;
  for (size_t i = 0; i < code.size(); ++i) {
    const char c = text[i];
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    switch (in) {
      case In::kCode:
        if (c == '/' && (next == '/' || next == '*')) {
          in = next == '/' ? In::kLineComment : In::kBlockComment;
          code[i] = code[i + 1] = ' ';
          ++i;
        } else if (c == '"') {
          const size_t open = text.find('(', i);
          if (i > 0 && text[i - 1] == 'R' && open != std::string::npos) {
            raw_end = absl::StrCat(")", text.substr(i + 1, open - i - 1), "\"");
            in = In::kRawString;
          } else {
            in = In::kString;
          }
        } else if (c == '\'' && (i == 0 || !absl::ascii_isalnum(text[i - 1]))) {
          in = In::kCharacter;  // between digits it separates thousands
        }
        break;
      case In::kLineComment:
        if (c == '\n') {
          in = In::kCode;
        } else {
          code[i] = ' ';
        }
        break;
      case In::kBlockComment:
        if (c == '*' && next == '/') {
          code[i + 1] = ' ';
          in = In::kCode;
        }
        if (c != '\n') code[i] = ' ';
        if (in == In::kCode) ++i;
        break;
      case In::kString:
      case In::kCharacter:
        if (c == '\\' && next != '\0') {
          code[i] = ' ';
          if (next != '\n') code[i + 1] = ' ';
          ++i;
        } else if (c == (in == In::kString ? '"' : '\'')) {
          in = In::kCode;
        } else if (c != '\n') {
          code[i] = ' ';
        }
        break;
      case In::kRawString:
        if (text.compare(i, raw_end.size(), raw_end) == 0) {
          i += raw_end.size() - 1;
          in = In::kCode;
        } else if (c != '\n') {
          code[i] = ' ';
        }
        break;
    }
  }
  return code;
}

}  // namespace tilewright::layout
