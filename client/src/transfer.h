// Whole files over streams. Thread-safe.

#ifndef TILEWRIGHT_CLIENT_SRC_TRANSFER_H_
#define TILEWRIGHT_CLIENT_SRC_TRANSFER_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "client/src/files.h"
#include "tilewright/v1/render_service.grpc.pb.h"

namespace tilewright {

// Sends the file `path`, which held `bytes` bytes when it was inspected, for its page `page`, and
// returns its upload: URI. INVALID_ARGUMENT (NO_SUCH_PAGE) if it has no such page. Not repeated by
// itself. ABORTED (INPUT_CHANGED) if the file is longer or shorter by now.
absl::StatusOr<std::string> UploadFile(v1::RenderService::Stub& stub, const std::string& path,
                                       uint64_t bytes, uint32_t page);

// Appends the output of `job` to `file`. DATA_LOSS (DOWNLOAD_TRUNCATED) if fewer or more bytes come
// than announced. Not repeated by itself: after an error `file` holds a part.
absl::Status DownloadTo(v1::RenderService::Stub& stub, const std::string& job, PartialFile& file);

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_SRC_TRANSFER_H_
