// Where the parts of a Deep Zoom image lie, and how they come to their place: `big.dzi` and the
// folder `big_files` beside it. Thread-safe for different images.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_DEEP_ZOOM_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_DEEP_ZOOM_H_

#include <string>

#include "absl/status/status.h"

namespace tilewright {

// "big_files" for "big.dzi".
std::string DeepZoomTiles(const std::string& path);
// ALREADY_EXISTS if the folder of tiles is there, FAILED_PRECONDITION if it is not a folder.
absl::Status CheckDeepZoomFree(const std::string& path, bool overwrite);
// Moves `<from>.dzi` and `<from>_files` to `path` and its folder of tiles, the file last; what
// `overwrite` allows to replace is removed. Both are durable when it returns. ALREADY_EXISTS if
// either came there in the meantime.
absl::Status PublishDeepZoom(const std::string& from, const std::string& path, bool overwrite);
// Removes what an export to `from` left, if anything.
void RemoveDeepZoom(const std::string& from);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_DEEP_ZOOM_H_
