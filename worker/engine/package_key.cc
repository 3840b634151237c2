#include "worker/engine/package_key.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "worker/engine/engine.h"

namespace tilewright {
namespace {

// In the words of /proc/cpuinfo.
std::string InstructionSets(const std::string& isa) {
  std::vector<std::string> words =
      absl::StrSplit(absl::AsciiStrToLower(isa), ' ', absl::SkipEmpty());
  for (std::string& word : words) {
    if (word == "avx512") word = "avx512f";
    if (word == "invalid_vec_isa") word = "";  // plain code
  }
  return std::string(absl::StripAsciiWhitespace(absl::StrJoin(words, " ")));
}

// "90" is 9.0, "120" is 12.0.
std::string ComputeCapability(const std::string& digits) {
  if (digits.size() < 2) return digits;
  return absl::StrCat(digits.substr(0, digits.size() - 1), ".", digits.substr(digits.size() - 1));
}

bool HasAll(const std::string& needed, const std::string& there) {
  const std::vector<std::string> have = absl::StrSplit(there, ' ', absl::SkipEmpty());
  const std::vector<std::string> want = absl::StrSplit(needed, ' ', absl::SkipEmpty());
  return std::all_of(want.begin(), want.end(), [&have](const std::string& word) {
    return std::find(have.begin(), have.end(), word) != have.end();
  });
}

}  // namespace

PackageKey KeyOfPackage(const std::unordered_map<std::string, std::string>& metadata) {
  const auto value = [&metadata](const char* name) {
    const auto it = metadata.find(name);
    return it == metadata.end() ? std::string() : it->second;
  };
  PackageKey key;
  key.device_kind = value("AOTI_DEVICE_KEY");
  key.machine = value("AOTI_MACHINE");
  key.instruction_sets = InstructionSets(value("AOTI_CPU_ISA"));
  key.compute_capability = ComputeCapability(value("AOTI_COMPUTE_CAPABILITY"));
  key.torch_version = value("torch_version");
  return key;
}

absl::Status CheckPackageKey(const std::string& package, const PackageKey& package_key,
                             const PackageKey& here) {
  std::vector<std::string> compiled_for;
  std::vector<std::string> found;
  const auto differ = [&](const std::string& theirs, const std::string& ours) {
    compiled_for.push_back(theirs);
    found.push_back(ours);
  };
  const bool same_kind = package_key.device_kind == here.device_kind;
  if (!same_kind) {
    differ(absl::StrCat("a device of kind '", package_key.device_kind, "'"),
           absl::StrCat("'", here.device_kind, "'"));
  }
  if (package_key.machine != here.machine) {
    differ(absl::StrCat("a machine '", package_key.machine, "'"),
           absl::StrCat("'", here.machine, "'"));
  }
  if (same_kind && here.device_kind == "cuda" &&
      package_key.compute_capability != here.compute_capability) {
    differ(absl::StrCat("compute capability ", package_key.compute_capability),
           here.compute_capability);
  }
  if (same_kind && here.device_kind == "cpu" &&
      !HasAll(package_key.instruction_sets, here.instruction_sets)) {
    differ(absl::StrCat("instruction sets [", package_key.instruction_sets, "]"),
           absl::StrCat("[", here.instruction_sets, "]"));
  }
  if (package_key.torch_version != here.torch_version) {
    differ(package_key.torch_version.empty()
               ? "a LibTorch that its metadata (torch_version) does not name"
               : absl::StrCat("LibTorch ", package_key.torch_version),
           here.torch_version);
  }
  if (found.empty()) return absl::OkStatus();
  return EngineError(
      v1::FAILURE_CAUSE_REFUSED,
      absl::StrCat(package, " was compiled for ", absl::StrJoin(compiled_for, ", "),
                   ", and here is ", absl::StrJoin(found, ", "), ": compile it for this worker"));
}

}  // namespace tilewright
