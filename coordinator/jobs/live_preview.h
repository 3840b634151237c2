// The preview of a running job: drawn by the merging thread, looked at by anybody. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_LIVE_PREVIEW_H_
#define TILEWRIGHT_COORDINATOR_JOBS_LIVE_PREVIEW_H_

#include <cstddef>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "coordinator/merge/preview.h"

namespace tilewright {

class LivePreview {
 public:
  explicit LivePreview(const CanvasFormat& format) : preview_(format) {}

  void AddBlock(int64_t column, int64_t row, absl::Span<const std::byte> samples)
      ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    preview_.AddBlock(column, row, samples);
  }

  // As of Preview. Nothing happens if that cannot be: then only what is new is shown.
  void Restore(absl::Span<const std::byte> pixels, int64_t drawn) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    preview_.Restore(pixels, drawn);
  }

  // As it stands now.
  Preview Copy() const ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return preview_;
  }

 private:
  mutable absl::Mutex mu_;
  Preview preview_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_LIVE_PREVIEW_H_
