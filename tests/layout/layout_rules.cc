#include "tests/layout/layout_rules.h"

#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace tilewright::layout {
namespace {

const std::vector<std::string>& Sides() {
  static const auto* const kSides = new std::vector<std::string>{"coordinator", "worker", "client"};
  return *kSides;
}

bool InAny(const std::string& path, const std::vector<std::string>& folders) {
  return std::any_of(folders.begin(), folders.end(),
                     [&path](const std::string& folder) { return IsIn(path, folder); });
}

std::string FirstFolder(const std::string& path) { return path.substr(0, path.find('/')); }

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string At(const SourceFile& file, int line) {
  return absl::StrCat(file.path, ":", line, ": ");
}

bool IsCMake(const SourceFile& file) { return absl::EndsWith(file.path, "CMakeLists.txt"); }

// Headers of ISO C++20 and of the compilers' vector intrinsics that a pure folder may use.
bool IsPureStandardHeader(const std::string& name) {
  static const auto* const kNames = new std::set<std::string>{"algorithm",
                                                              "any",
                                                              "array",
                                                              "atomic",
                                                              "bit",
                                                              "bitset",
                                                              "cassert",
                                                              "cerrno",
                                                              "cfloat",
                                                              "charconv",
                                                              "climits",
                                                              "cmath",
                                                              "compare",
                                                              "complex",
                                                              "concepts",
                                                              "cstddef",
                                                              "cstdint",
                                                              "cstdlib",
                                                              "cstring",
                                                              "deque",
                                                              "exception",
                                                              "functional",
                                                              "initializer_list",
                                                              "iterator",
                                                              "limits",
                                                              "list",
                                                              "map",
                                                              "memory",
                                                              "new",
                                                              "numbers",
                                                              "numeric",
                                                              "optional",
                                                              "queue",
                                                              "ranges",
                                                              "ratio",
                                                              "set",
                                                              "span",
                                                              "stack",
                                                              "stdexcept",
                                                              "string",
                                                              "string_view",
                                                              "tuple",
                                                              "type_traits",
                                                              "typeindex",
                                                              "typeinfo",
                                                              "unordered_map",
                                                              "unordered_set",
                                                              "utility",
                                                              "valarray",
                                                              "variant",
                                                              "vector",
                                                              "version",
                                                              "immintrin.h",
                                                              "emmintrin.h",
                                                              "x86intrin.h"};
  return kNames->contains(name);
}

// Empty if a pure folder may include it, else why not.
std::string WhyNotPure(const Include& include) {
  const std::string& name = include.name;
  if (IsIn(name, "absl")) {
    if (IsIn(name, "absl/synchronization")) return "locks and threads";
    if (IsIn(name, "absl/random")) return "random numbers";
    if (name == "absl/time/clock.h") return "a clock";
    if (IsIn(name, "absl/flags") || IsIn(name, "absl/debugging"))
      return "the process's surroundings";
    return "";
  }
  if (!include.quoted) {
    return IsPureStandardHeader(name) ? "" : "not among the headers a pure folder may use";
  }
  if (InAny(name, {"proto/base", "proto/geometry", "proto/blend", "coordinator/plan",
                   "coordinator/schedule"})) {
    return "";
  }
  return "outside the pure folders";
}

// A declaration in a .proto that wants a comment; empty if the line declares nothing.
std::string ProtoDeclaration(const std::string& line) {
  static const auto* const kBlock =
      new std::regex(R"(^\s*(message|enum|service|rpc|oneof)\s+(\w+))");
  static const auto* const kField = new std::regex(
      R"(^\s*(?:(?:repeated|optional)\s+)?(?:map\s*<[^>]*>|[\w.]+)\s+(\w+)\s*=\s*\d+\s*[;\[])");
  static const auto* const kValue = new std::regex(R"(^\s*([A-Z][A-Z0-9_]*)\s*=\s*-?\d+\s*[;\[])");
  std::smatch match;
  if (std::regex_search(line, match, *kBlock))
    return absl::StrCat(match[1].str(), " ", match[2].str());
  if (std::regex_search(line, match, *kField)) return absl::StrCat("field ", match[1].str());
  if (std::regex_search(line, match, *kValue)) return absl::StrCat("value ", match[1].str());
  return "";
}

std::string GuardOf(absl::string_view path) {
  return absl::StrCat("TILEWRIGHT_",
                      absl::AsciiStrToUpper(absl::StrReplaceAll(path, {{"/", "_"}, {".", "_"}})),
                      "_");
}

}  // namespace

Complaints CheckSidesStayApart(const SourceTree& tree) {
  Complaints complaints;
  for (const SourceFile& file : tree.files) {
    // The tests of a side are bound like the side; cluster, chaos and bench look at everything.
    const bool is_test = IsIn(file.path, "tests");
    const std::string side = FirstFolder(is_test ? file.path.substr(6) : file.path);
    if (side != "proto" && std::find(Sides().begin(), Sides().end(), side) == Sides().end())
      continue;
    if (!IsCode(file)) continue;
    for (const Include& include : IncludesOf(file)) {
      const std::string to = FirstFolder(include.name);
      const bool other_side =
          to != side && std::find(Sides().begin(), Sides().end(), to) != Sides().end();
      if (other_side || (!is_test && (to == "tests" || to == "deploy"))) {
        complaints.push_back(absl::StrCat(At(file, include.line), side, " must not know ", to,
                                          ", and includes ", include.name));
      }
    }
  }
  // Libraries, by the side that makes them.
  static const auto* const kLibrary = new std::regex(R"(tilewright_library\(\s*(\w+))");
  std::map<std::string, std::string> owner;
  for (const SourceFile& file : tree.files) {
    if (!IsCMake(file) || !InAny(file.path, Sides())) continue;
    for (std::sregex_iterator it(file.text.begin(), file.text.end(), *kLibrary), end; it != end;
         ++it) {
      owner[(*it)[1]] = FirstFolder(file.path);
    }
  }
  for (const SourceFile& file : tree.files) {
    if (!IsCMake(file) || !(InAny(file.path, Sides()) || IsIn(file.path, "proto"))) continue;
    for (const auto& [library, side] : owner) {
      const std::regex word(absl::StrCat("\\b", library, "\\b"));
      if (side != FirstFolder(file.path) && std::regex_search(file.text, word)) {
        complaints.push_back(absl::StrCat(file.path, ": ", FirstFolder(file.path),
                                          " must not link ", library, ", which belongs to ", side));
      }
    }
  }
  return complaints;
}

Complaints CheckPureFolders(const SourceTree& tree) {
  static const auto* const kForbidden = new std::regex(
      R"(\babsl::(Now|SleepFor|GetCurrentTimeNanos|Mutex)\b|\bstd::(thread|jthread|mutex|chrono|random_device|mt19937)|\b(s?rand|time|clock|getenv|printf|fprintf|fopen|puts|usleep|sleep|nanosleep)\s*\(|\bthread_local\b|\bv1::)");
  Complaints complaints;
  for (const SourceFile& file : tree.files) {
    if (!IsCode(file) || !InAny(file.path, {"proto/base", "proto/geometry", "proto/blend",
                                            "coordinator/plan", "coordinator/schedule"})) {
      continue;
    }
    for (const Include& include : IncludesOf(file)) {
      if (const std::string why = WhyNotPure(include); !why.empty()) {
        complaints.push_back(absl::StrCat(At(file, include.line), "a pure folder must not include ",
                                          include.name, ": ", why));
      }
    }
    int number = 0;
    for (const std::string& line :
         std::vector<std::string>(absl::StrSplit(CodeOnly(file.text), '\n'))) {
      ++number;
      if (std::smatch match; std::regex_search(line, match, *kForbidden)) {
        complaints.push_back(
            absl::StrCat(At(file, number), "a pure folder must not use ", match[0].str()));
      }
    }
  }
  return complaints;
}

Complaints CheckInferenceLibrariesStayInEngine(const SourceTree& tree) {
  Complaints complaints;
  for (const SourceFile& file : tree.files) {
    if (!IsCode(file) || InAny(file.path, {"worker/engine", "tests/worker/engine"})) continue;
    for (const Include& include : IncludesOf(file)) {
      if (InAny(include.name, {"torch", "ATen", "c10", "caffe2", "openvino"})) {
        complaints.push_back(absl::StrCat(
            At(file, include.line),
            "LibTorch and OpenVINO stand in worker/engine only, and here is ", include.name));
      }
    }
  }
  return complaints;
}

Complaints CheckSupervisorStandsAlone(const SourceTree& tree) {
  static const auto* const kLibrary = new std::regex(R"(\btw_\w+|\bgRPC::\S+|\bprotobuf::\S+)");
  static const auto* const kKnown =
      new std::set<std::string>{"tw_base",          "tw_supervisor",
                                "tw_cuda_driver",   "worker/exit_code.h",
                                "worker/backoff.h", "worker/device/cuda_driver.h"};
  Complaints complaints;
  for (const SourceFile& file : tree.files) {
    if (!IsIn(file.path, "worker/supervisor")) continue;
    for (const Include& include : IsCode(file) ? IncludesOf(file) : std::vector<Include>()) {
      const bool foreign =
          InAny(include.name, {"worker", "proto", "tilewright", "grpc", "grpcpp", "google"});
      if (foreign && !InAny(include.name, {"worker/supervisor", "proto/base"}) &&
          !kKnown->contains(include.name)) {
        complaints.push_back(
            absl::StrCat(At(file, include.line), "the supervisor must not know ", include.name));
      }
    }
    if (!IsCMake(file)) continue;
    for (std::sregex_iterator it(file.text.begin(), file.text.end(), *kLibrary), end; it != end;
         ++it) {
      if (!kKnown->contains((*it)[0])) {
        complaints.push_back(
            absl::StrCat(file.path, ": the supervisor must not link ", (*it)[0].str()));
      }
    }
  }
  return complaints;
}

Complaints CheckPublicHeaders(const SourceTree& tree) {
  Complaints complaints;
  for (const SourceFile& file : tree.files) {
    if (!IsIn(file.path, "client/include")) continue;
    for (const Include& include : IncludesOf(file)) {
      const bool standard =
          include.name.find('/') == std::string::npos && !absl::EndsWith(include.name, ".h");
      const bool ours = IsIn(include.name, "tilewright") && !IsIn(include.name, "tilewright/v1");
      if (!standard && !ours && !IsIn(include.name, "absl")) {
        complaints.push_back(absl::StrCat(At(file, include.line),
                                          "a public header must not include ", include.name));
      }
    }
  }
  return complaints;
}

Complaints CheckHeaders(const SourceTree& tree) {
  Complaints complaints;
  std::map<std::string, const SourceFile*> by_path;
  for (const SourceFile& file : tree.files) by_path[file.path] = &file;
  for (const SourceFile& file : tree.files) {
    if (!IsHeader(file)) continue;
    if (!absl::StartsWith(file.text, "//")) {
      complaints.push_back(
          absl::StrCat(file.path, ": a header opens with what it is and its thread-safety"));
    }
    // A public header is named without the folder that its users do not see.
    const std::string guard =
        GuardOf(absl::StrReplaceAll(file.path, {{"client/include/tilewright/", "client/"}}));
    if (!absl::StrContains(file.text, absl::StrCat("#ifndef ", guard, "\n#define ", guard, "\n"))) {
      complaints.push_back(absl::StrCat(file.path, ": its include guard is not ", guard));
    }
    const auto source = by_path.find(absl::StrCat(absl::StripSuffix(file.path, ".h"), ".cc"));
    if (source == by_path.end()) continue;
    const std::vector<Include> includes = IncludesOf(*source->second);
    // A source that is compiled several times may be a shell around an .inc of its name.
    const bool by_shell =
        !includes.empty() &&
        includes[0].name == absl::StrCat(absl::StripSuffix(file.path, ".h"), ".inc");
    if (!by_shell && (includes.empty() || includes[0].name != file.path)) {
      complaints.push_back(absl::StrCat(source->first, ": its first include is not ", file.path));
    }
  }
  return complaints;
}

Complaints CheckFileLength(const SourceTree& tree, int lines_max) {
  Complaints complaints;
  for (const SourceFile& file : tree.files) {
    const auto lines = std::count(file.text.begin(), file.text.end(), '\n');
    if (lines > lines_max) {
      complaints.push_back(
          absl::StrCat(file.path, ": ", lines, " lines, over ", lines_max, ": split it"));
    }
  }
  return complaints;
}

Complaints CheckProtoComments(const SourceTree& tree) {
  Complaints complaints;
  for (const SourceFile& file : tree.files) {
    if (!absl::EndsWith(file.path, ".proto")) continue;
    bool commented = false;
    int number = 0;
    for (const std::string& line : std::vector<std::string>(absl::StrSplit(file.text, '\n'))) {
      ++number;
      if (absl::StartsWith(absl::StripAsciiWhitespace(line), "//")) {
        commented = true;
        continue;
      }
      const std::string declaration = ProtoDeclaration(line);
      if (!declaration.empty() && !commented && !absl::StrContains(line, "//")) {
        complaints.push_back(absl::StrCat(At(file, number), declaration, " has no comment"));
      }
      commented = false;
    }
  }
  return complaints;
}

Complaints CheckSourcesAreNamed(const SourceTree& tree) {
  std::map<std::string, std::string> lists;  // folder -> text
  for (const SourceFile& file : tree.files) {
    if (IsCMake(file)) lists[FolderOf(file.path)] = file.text;
  }
  Complaints complaints;
  for (const SourceFile& file : tree.files) {
    if (!absl::EndsWith(file.path, ".cc")) continue;
    // Deeper folders may be named by the list of a folder above.
    bool named = false;
    for (std::string folder = FolderOf(file.path); !named && !folder.empty();
         folder = FolderOf(folder)) {
      const auto list = lists.find(folder);
      named = list != lists.end() &&
              absl::StrContains(list->second, file.path.substr(folder.size() + 1));
    }
    if (!named)
      complaints.push_back(
          absl::StrCat(file.path, ": no CMakeLists.txt names it, so nothing builds it"));
  }
  return complaints;
}

Complaints CheckTopLevel(const SourceTree& tree) {
  static const auto* const kAgreed = new std::set<std::string>{
      // Sources.
      "CMakeLists.txt", "proto", "coordinator", "worker", "client", "deploy", "tests",
      // The usual root files.
      "CMakePresets.json", "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md",
      "LICENSE", ".ci", ".clang-format", ".gitignore", ".gitattributes", ".dockerignore",
      // Not in the repository.
      ".git", "build", ".cache", "compile_commands.json", "CMakeUserPresets.json"};
  Complaints complaints;
  for (const std::string& name : tree.top_level) {
    if (!kAgreed->contains(name)) {
      complaints.push_back(
          absl::StrCat(name, ": the root folder holds what was agreed, and this was not"));
    }
  }
  return complaints;
}

}  // namespace tilewright::layout
