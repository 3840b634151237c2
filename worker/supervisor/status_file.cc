#include "worker/supervisor/status_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace tilewright {
namespace {

std::string Quoted(absl::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&json, "\\u%04x", static_cast<unsigned>(c));
    } else {
      json += c;
    }
  }
  return json + "\"";
}

}  // namespace

std::string StatusJson(const Fleet& fleet, int supervisor, Instant now, absl::Time wall_now) {
  const auto wall = [&](Instant at) {
    return Quoted(
        absl::FormatTime("%Y-%m-%d%ET%H:%M:%E3SZ", wall_now + (at - now), absl::UTCTimeZone()));
  };
  std::vector<std::string> workers;
  for (const Slot& slot : fleet.slots()) {
    std::string json = absl::StrCat(
        "    {\"name\": ", Quoted(slot.Name()), ", \"device\": ", Quoted(slot.Device()),
        ", \"asked_device\": ", Quoted(slot.place.device),
        ", \"state\": ", Quoted(ToString(slot.state)), ", \"since\": ", wall(slot.since));
    if (slot.state == SlotState::kWaiting) {
      absl::StrAppend(&json, ", \"next_start\": ", wall(slot.due));
    }
    absl::StrAppend(&json, ", \"process\": ", slot.process, ", \"starts\": ", slot.starts,
                    ", \"rung\": ", slot.policy.rung(), ", \"last_end\": ", Quoted(slot.last_end),
                    "}");
    workers.push_back(std::move(json));
  }
  return absl::StrCat("{\n  \"version\": 1,\n  \"supervisor\": ", supervisor, ",\n  \"state\": ",
                      fleet.over()     ? "\"ended\""
                      : fleet.ending() ? "\"draining\""
                                       : "\"running\"",
                      ",\n  \"workers\": [\n", absl::StrJoin(workers, ",\n"), "\n  ]\n}\n");
}

absl::Status WriteWhole(const std::string& path, absl::string_view text) {
  const std::string fresh = absl::StrCat(path, ".", getpid());
  std::ofstream file(fresh, std::ios::trunc);
  file << text << std::flush;
  if (!file || rename(fresh.c_str(), path.c_str()) != 0) {
    const int error = errno;
    unlink(fresh.c_str());
    return absl::UnavailableError(absl::StrCat("cannot write ", path, ": ", strerror(error)));
  }
  return absl::OkStatus();
}

}  // namespace tilewright
