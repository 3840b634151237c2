// The files of a source tree as text, so that rules about the tree are functions of values. Not
// thread-safe.

#ifndef TILEWRIGHT_TESTS_LAYOUT_SOURCE_TREE_H_
#define TILEWRIGHT_TESTS_LAYOUT_SOURCE_TREE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace tilewright::layout {

struct SourceFile {
  std::string path;  // from the root, for instance "coordinator/plan/stage_plan.h"
  std::string text;
};

struct SourceTree {
  std::vector<std::string> top_level;  // names in the root folder
  std::vector<SourceFile> files;       // text files of the source folders, by path
};

// Reads the tree below `root`: sources, headers, protos, scripts and CMake lists; build outputs are
// left out. INVALID_ARGUMENT if `root` holds no CMakeLists.txt.
absl::StatusOr<SourceTree> ReadSourceTree(const std::string& root);

// Whether `path` lies in `folder` or below.
bool IsIn(const std::string& path, const std::string& folder);
bool IsHeader(const SourceFile& file);
// A C++ header or implementation.
bool IsCode(const SourceFile& file);

struct Include {
  int line = 0;  // from 1
  std::string name;
  bool quoted = false;  // "name", not <name>
};
std::vector<Include> IncludesOf(const SourceFile& file);

// The text with comments and the contents of strings replaced by blanks; lines stay where they are.
std::string CodeOnly(const std::string& text);

}  // namespace tilewright::layout

#endif  // TILEWRIGHT_TESTS_LAYOUT_SOURCE_TREE_H_
