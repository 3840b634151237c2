#include "tests/simulation/faults.h"

#include <array>

#include "absl/strings/str_join.h"

namespace tilewright::simulation {
namespace {

constexpr std::array<const char*, kFaults> kNames = {"slow-down",    "crash",
                                                     "hang",         "wrong-digest",
                                                     "wrong-class",  "out-of-memory",
                                                     "tile-failure", "damage",
                                                     "leave",        "give-up",
                                                     "stall",        "canary",
                                                     "credit",       "poison",
                                                     "old-result",   "repeat",
                                                     "cut-control",  "cut-inputs",
                                                     "cut-results",  "partition",
                                                     "one-way",      "coordinator-crash",
                                                     "canvas-lost",  "two-coordinators",
                                                     "pause",        "priority",
                                                     "cancel",       "drain",
                                                     "clear",        "results-held",
                                                     "wavefront",    "max-duration",
                                                     "quota",        "byte-credit"};

}  // namespace

const char* Name(Fault fault) { return kNames[static_cast<size_t>(fault)]; }

std::optional<Fault> FaultByName(const std::string& name) {
  for (int i = 0; i < kFaults; ++i) {
    if (name == kNames[static_cast<size_t>(i)]) return static_cast<Fault>(i);
  }
  return std::nullopt;
}

std::vector<Fault> FaultSet::List() const {
  std::vector<Fault> list;
  for (int i = 0; i < kFaults; ++i) {
    if (Has(static_cast<Fault>(i))) list.push_back(static_cast<Fault>(i));
  }
  return list;
}

std::string FaultSet::ToString() const {
  if (empty()) return "none";
  return absl::StrJoin(List(), ",", [](std::string* out, Fault fault) { *out += Name(fault); });
}

}  // namespace tilewright::simulation
