#include "tests/simulation/checks.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace tilewright::simulation {

void Checks::Serves(const std::string& incarnation, uint64_t epoch) {
  uint64_t& highest = served_[incarnation];
  if (epoch < highest) {
    Trouble(absl::StrCat(incarnation, " serves epoch ", epoch, " after ", highest));
  }
  highest = std::max(highest, epoch);
}

void Checks::GrantTaken(const std::string& incarnation, LeaseKey lease, Credit held, Credit level) {
  if (lease.epoch < served_[incarnation]) {
    Trouble(absl::StrCat(incarnation, " took a lease of epoch ", lease.epoch, " after ",
                         served_[incarnation]));
  }
  if (held.tiles > level.tiles || (level.bytes > 0 && held.bytes > level.bytes)) {
    Trouble(absl::StrCat(incarnation, " has ", held.tiles, " tiles of ", held.bytes,
                         " bytes to compute with lease ", lease.sequence, ", its level was ",
                         level.tiles, " tiles of ", level.bytes, " bytes"));
  }
}

void Checks::Charge(const std::string& worker, const std::string& job, int64_t tile) {
  tile_failures_[{job, tile}]++;
  worker_failures_[{worker, job}]++;
}

void Checks::Fails(const std::string& worker, const std::string& job, int64_t tile,
                   TileFailureCause /*cause*/) {
  // Running out of memory is charged to nobody, but the report may be lost with the process; then
  // it looks like a crash over the tile.
  Charge(worker, job, tile);
}

void Checks::GaveUp(const std::string& worker, const Grant& grant) {
  for (int64_t tile : grant.tiles) tile_failures_[{grant.job, tile}]++;
  worker_failures_[{worker, grant.job}]++;
}

void Checks::Stalls(const std::string& worker, const Grant& grant) { GaveUp(worker, grant); }

void Checks::ProcessDied(const std::string& worker, const Grant& grant) { GaveUp(worker, grant); }

void Checks::BadResult(const std::string& worker, const std::string& job, int64_t tile) {
  Charge(worker, job, tile);
  bad_results_++;
}

void Checks::Noticed(const Notice& notice) {
  if (notice.kind == "tile_poisoned") {
    const int failures = tile_failures_[{notice.job, notice.tile.value_or(-1)}];
    if (failures < 3) {
      Trouble(absl::StrCat("tile ", notice.tile.value_or(-1), " of ", notice.job,
                           " is called poison after ", failures, " failures: ", notice.text));
    }
  }
  if (notice.kind == "worker_blocklisted") {
    const int failures = worker_failures_[{notice.worker, notice.job}];
    if (failures < options_.blocklist_charges) {
      Trouble(absl::StrCat(notice.worker, " is blocklisted after ", failures,
                           " failures: ", notice.text));
    }
  }
}

}  // namespace tilewright::simulation
