// Decodes an image that a stranger sent in a child process: what its bytes may do to a decoder ends
// there. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_DECODE_PROCESS_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_DECODE_PROCESS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "coordinator/image/image_reader.h"

namespace tilewright {

struct DecodeCommand {
  std::string program;  // this program; started as `<program> --decode-child …`
  std::string from;
  // Must not exist, ends in ".tif". A WriteDecodedCopy; of a NumPy array, which has nothing to
  // decode, the same bytes.
  std::string to;
  ImageLimits limits;
  int64_t file_bytes_max = 0;  // of `to`
  int64_t page = 0;            // of `from`; see ImageReader::Open
};

// What the child may take, beside its file.
inline constexpr int64_t kDecodeMemoryMax = int64_t{4} << 30;  // address space, bytes
inline constexpr absl::Duration kDecodeTimeMax = absl::Minutes(30);

// The number of pages that `from` has. Errors as of ImageReader::Open and Read, and
// WriteDecodedCopy. Besides DATA_LOSS if the child dies, RESOURCE_EXHAUSTED over a limit,
// FAILED_PRECONDITION if it cannot be started. Nothing is left behind on error.
absl::StatusOr<int64_t> RunDecodeProcess(const DecodeCommand& command);

// Body of the child, `arguments` being what follows --decode-child. Exit status for main.
int RunDecodeChild(absl::Span<char* const> arguments);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_DECODE_PROCESS_H_
