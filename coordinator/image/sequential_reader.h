// Reads an image whose rows must be decoded in order: a window of full rows that only moves down.
// Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_SEQUENTIAL_READER_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_SEQUENTIAL_READER_H_

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/image/image_header.h"
#include "coordinator/image/image_reader.h"

namespace tilewright {

class SequentialReader : public ImageReader {
 public:
  SequentialReader(ImageHeader header, std::unique_ptr<FileWatch> file);

  // Rows decoded at once, beside the window.
  static int64_t StepRows(int64_t row_bytes);

 protected:
  absl::Status ReadInside(const Rect& rect, absl::Span<std::byte> samples) override;

 private:
  bool Holds(Interval rows) const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return window_.Contains(rows); }
  // Moves the window so that it begins with the first of `rows` and holds them all.
  absl::Status MoveTo(Interval rows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Decodes the rows that follow the window, `count` of them; those above `keep_from` are dropped.
  absl::Status Decode(int64_t count, int64_t keep_from) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Copy(const Rect& rect, absl::Span<std::byte> samples) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  const std::byte* Row(int64_t row) const ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return ring_.data() + (row % capacity_) * row_bytes_;
  }

  const VipsOwned<VipsImage> image_;
  const int64_t row_bytes_;

  absl::Mutex mu_;
  // Rows held. Invariant: at most capacity_ of them; row r lies at place r % capacity_ of the ring.
  Interval window_ ABSL_GUARDED_BY(mu_) = {0, 0};
  int64_t capacity_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<std::byte> ring_ ABSL_GUARDED_BY(mu_);
  // The first failure: libvips explains it only once.
  absl::Status broken_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_SEQUENTIAL_READER_H_
