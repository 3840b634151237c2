#include "worker/device/host_memory.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "worker/device/number_field.h"

namespace tilewright {
namespace {

std::optional<uint64_t> NumberIn(const FileReader& read, const std::string& path) {
  const auto text = read(path);
  uint64_t number = 0;
  // Version 2 writes "max" where there is no limit.
  if (!text.ok() || !absl::SimpleAtoi(absl::StripAsciiWhitespace(*text), &number)) {
    return std::nullopt;
  }
  return number;
}

struct GroupFiles {
  std::string root;  // where the hierarchy is mounted
  std::string path;  // of the group in it, "/" or "/a/b"
  const char* limit;
  const char* usage;
  const char* droppable;  // field of memory.stat
};

void ApplyGroup(const FileReader& read, const GroupFiles& files, const std::string& folder,
                HostMemory* memory) {
  const auto limit = NumberIn(read, absl::StrCat(folder, "/", files.limit));
  if (!limit.has_value() || *limit >= memory->total_bytes) return;
  memory->total_bytes = *limit;
  const uint64_t used = NumberIn(read, absl::StrCat(folder, "/", files.usage)).value_or(0);
  uint64_t droppable = 0;
  if (const auto stat = read(absl::StrCat(folder, "/memory.stat")); stat.ok()) {
    droppable = NumberOfField(*stat, files.droppable).value_or(0);
  }
  const uint64_t held = used - std::min(used, droppable);
  memory->free_bytes = std::min(memory->free_bytes, *limit - std::min(*limit, held));
}

// The group and all above it. Inside a container the path may not exist, but the root then shows
// the container's limits.
void ApplyGroups(const FileReader& read, const GroupFiles& files, HostMemory* memory) {
  std::string path = files.path;
  while (!path.empty() && path != "/") {
    ApplyGroup(read, files, absl::StrCat(files.root, path), memory);
    path.resize(path.rfind('/'));
  }
  ApplyGroup(read, files, files.root, memory);
}

}  // namespace

absl::StatusOr<HostMemory> ReadHostMemory(const FileReader& read) {
  const auto meminfo = read("/proc/meminfo");
  const auto total = meminfo.ok() ? NumberOfField(*meminfo, "MemTotal") : std::nullopt;
  const auto available = meminfo.ok() ? NumberOfField(*meminfo, "MemAvailable") : std::nullopt;
  if (!total.has_value() || !available.has_value()) {
    return absl::UnavailableError(
        "/proc/meminfo names no MemTotal and MemAvailable, so the memory of this machine is "
        "unknown; is /proc mounted?");
  }
  HostMemory memory{*total * 1024, *available * 1024};
  const auto groups = read("/proc/self/cgroup");
  if (!groups.ok()) return memory;
  for (absl::string_view line : absl::StrSplit(*groups, '\n', absl::SkipEmpty())) {
    // "0::/path" (version 2) or "7:memory:/path" (version 1).
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3 || !absl::StartsWith(parts[2], "/")) continue;
    if (parts[0] == "0" && parts[1].empty()) {
      ApplyGroups(read,
                  {"/sys/fs/cgroup", parts[2], "memory.max", "memory.current", "inactive_file"},
                  &memory);
    }
    const std::vector<std::string> controllers = absl::StrSplit(parts[1], ',');
    if (std::find(controllers.begin(), controllers.end(), "memory") != controllers.end()) {
      ApplyGroups(read,
                  {"/sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes",
                   "memory.usage_in_bytes", "total_inactive_file"},
                  &memory);
    }
  }
  return memory;
}

}  // namespace tilewright
