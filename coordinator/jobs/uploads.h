// Inputs that clients without a shared file system sent: one file each in the state folder, bounded
// in size and number, and decoded before anything reads it. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_UPLOADS_H_
#define TILEWRIGHT_COORDINATOR_JOBS_UPLOADS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace tilewright {

struct UploadLimits {
  int64_t bytes_max = int64_t{16} << 30;        // of one upload
  int64_t total_bytes_max = int64_t{64} << 30;  // of all that are kept
  int count_max = 256;
};

// What is made of the bytes that were sent.
struct UploadDecoding {
  std::string from;
  std::string to;         // must not exist
  int64_t bytes_max = 0;  // of `to`
  uint32_t page = 0;      // of `from`: the one that is kept
};

// Makes of an upload a file that is safe to read, and tells how many pages were sent; see
// RunDecodeProcess.
using UploadDecoder = std::function<absl::StatusOr<int64_t>(const UploadDecoding& decoding)>;

// An upload that can be read.
struct KeptUpload {
  std::string path;   // of a file of one page
  uint32_t page = 0;  // which one that is of what was sent
  int64_t pages = 1;  // of what was sent
};

class Uploads {
 public:
  Uploads(std::string folder, const UploadLimits& limits, UploadDecoder decode)
      : folder_(std::move(folder)), limits_(limits), decode_(std::move(decode)) {}

  // An upload under way; unless kept, it is removed with this object. Belongs to one thread at a
  // time.
  class Writer {
   public:
    ~Writer();
    // INVALID_ARGUMENT for more bytes than announced, RESOURCE_EXHAUSTED if the disk is full.
    absl::Status Append(absl::string_view bytes);
    // upload:{id}, once it is decoded. INVALID_ARGUMENT if bytes are missing; errors of the decoder
    // with their reason, NO_SUCH_PAGE among them.
    absl::StatusOr<std::string> Keep();

   private:
    friend class Uploads;
    Writer(Uploads* uploads, std::string id, uint32_t page, int descriptor, int64_t announced)
        : uploads_(uploads),
          id_(std::move(id)),
          page_(page),
          descriptor_(descriptor),
          announced_(announced) {}

    Uploads* const uploads_;
    const std::string id_;
    const uint32_t page_;
    int descriptor_;
    const int64_t announced_;
    int64_t written_ = 0;
    bool kept_ = false;
  };

  // Of what will be sent, `page` is kept. RESOURCE_EXHAUSTED (LIMIT_EXCEEDED) over a limit.
  absl::StatusOr<std::unique_ptr<Writer>> Begin(int64_t total_bytes, uint32_t page);
  // What was decoded of upload:{id}. NOT_FOUND (INPUT_NOT_FOUND) if there is none.
  absl::StatusOr<KeptUpload> Find(absl::string_view uri) const;
  // Forgets upload:{id} and its file; nothing happens if there is none.
  void Remove(absl::string_view uri);

 private:
  struct Kept {
    int64_t bytes = 0;
    bool complete = false;
    uint32_t page = 0;
    int64_t pages = 1;
  };

  std::string PathOfId(absl::string_view id) const;
  // Replaces the bytes that were sent by what the decoder makes of them.
  absl::Status Decode(const std::string& id, uint32_t page);

  const std::string folder_;
  const UploadLimits limits_;
  const UploadDecoder decode_;
  mutable absl::Mutex mu_;
  std::map<std::string, Kept, std::less<>> uploads_ ABSL_GUARDED_BY(mu_);  // by id
  int64_t total_bytes_ ABSL_GUARDED_BY(mu_) = 0;  // Invariant: the sum over uploads_
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_UPLOADS_H_
