// Frames that are the pages of one file. Thread-safe: functions.

#ifndef TILEWRIGHT_CLIENT_SRC_INPUT_PAGES_H_
#define TILEWRIGHT_CLIENT_SRC_INPUT_PAGES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tilewright/sequence.h"

namespace tilewright {

// INVALID_ARGUMENT (BAD_PATTERN): the name is the same for every frame.
absl::Status NotNumbered(absl::string_view name);

// Numbers of the frames of a request whose input is one file: its pages from first to last, all by
// default; the first page is 0. Asks the coordinator, by planning a frame whose output is `output`,
// and, if the model cannot do without, whose mask is `mask`, the first frame's. INVALID_ARGUMENT:
// BAD_PATTERN if the file is one image, NO_SUCH_PAGE if the last frame is beyond its pages,
// BAD_REQUEST for a frame that names a page. Errors of Client::DryRun.
absl::StatusOr<std::vector<uint64_t>> FindPages(Client& client, const SequenceRequest& request,
                                                const std::string& output, const std::string& mask);

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_SRC_INPUT_PAGES_H_
