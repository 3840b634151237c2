// Numbers in the small files of /proc and /sys. Functions without state, so thread-safe.

#ifndef TILEWRIGHT_WORKER_DEVICE_NUMBER_FIELD_H_
#define TILEWRIGHT_WORKER_DEVICE_NUMBER_FIELD_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace tilewright {

// The number after `field` in its line of `text`, as in "MemTotal:  123 kB" or "inactive_file 123"
// (so in the file's unit). Absent if no line has it.
std::optional<uint64_t> NumberOfField(const std::string& text, absl::string_view field);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_DEVICE_NUMBER_FIELD_H_
