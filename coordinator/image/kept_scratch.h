// A scratch in a file with a name, for what another process may go on with: whatever the latest
// checkpoint names stays as it is until a later one is durable. Thread-safe, but for the calls of
// a checkpoint, which come one after the other.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_KEPT_SCRATCH_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_KEPT_SCRATCH_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "coordinator/image/interrupt.h"
#include "coordinator/image/scratch_file.h"

namespace tilewright {

class KeptScratch : public ScratchFile {
 public:
  // An empty one; replaces what has the name. The file stays when the object goes. Errors as of
  // FileError.
  static absl::StatusOr<std::unique_ptr<KeptScratch>> Create(const std::string& path);
  // One that was left, with these slots of its latest checkpoint. Reads them: DATA_LOSS if they do
  // not hold what was put there; errors as of FileError, and what `interrupt` asks for.
  static absl::StatusOr<std::unique_ptr<KeptScratch>> Reopen(const std::string& path,
                                                             const std::vector<Slot>& slots,
                                                             const Interrupt* interrupt = nullptr);

  absl::StatusOr<Slot> Put(absl::Span<const std::byte> samples) override;
  void Drop(const Slot& slot) override;

  // The next checkpoint names slots of now: those that are dropped from here on stay as they are.
  void BeginCheckpoint();
  // Makes durable what was put before. Other threads may go on putting and dropping.
  absl::Status Sync() const;
  // The checkpoint that was begun last is durable: what it does not name is free.
  void EndCheckpoint();

 private:
  KeptScratch(const std::string& path, int fd, int64_t end)
      : ScratchFile(path, fd, end), path_(path) {}

  const std::string path_;
  absl::Mutex slots_mu_;
  // Offsets of slots that no checkpoint names: put since the latest one was begun.
  absl::flat_hash_set<int64_t> fresh_ ABSL_GUARDED_BY(slots_mu_);
  std::vector<Slot> dropped_ ABSL_GUARDED_BY(slots_mu_);   // since it was begun
  std::vector<Slot> retiring_ ABSL_GUARDED_BY(slots_mu_);  // before
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_KEPT_SCRATCH_H_
