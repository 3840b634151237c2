// Moves finished files to their place so that a crash leaves the old or the new. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_DURABLE_MOVE_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_DURABLE_MOVE_H_

#include <string>

#include "absl/status/status.h"

namespace tilewright {

// Whether something of that name is there, be it a link to nothing.
bool Exists(const std::string& path);
std::string FolderOf(const std::string& path);

// Writes to the disk what was written to the file.
absl::Status SyncFile(const std::string& path);
// Makes renames in the folder durable.
absl::Status SyncFolder(const std::string& folder);
// Renames. Unless `overwrite` is set: ALREADY_EXISTS for what came to `to` in the meantime, instead
// of replacing it.
absl::Status Move(const std::string& from, const std::string& to, bool overwrite);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_DURABLE_MOVE_H_
