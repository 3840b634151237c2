#include "coordinator/schedule/snapshot.h"

namespace tilewright {

absl::Status Apply(const Record& /*record*/, Snapshot& /*snapshot*/) {
  return absl::UnimplementedError("");
}

}  // namespace tilewright
