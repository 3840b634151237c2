#include "coordinator/jobs/state_store.h"

namespace tilewright {

absl::Status MemoryStateStore::Append(absl::Span<const Record> records) {
  for (const Record& record : records) {
    if (!failed_.ok()) break;
    failed_ = Apply(record, snapshot_);
  }
  return failed_;
}

}  // namespace tilewright
