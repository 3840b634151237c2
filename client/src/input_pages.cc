#include "client/src/input_pages.h"

#include <numeric>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "proto/wire/status_details.h"
#include "tilewright/error.h"

namespace tilewright {

absl::Status NotNumbered(absl::string_view name) {
  return WithReason(absl::InvalidArgumentError(
                        absl::StrCat("'", name,
                                     "' is the same for every frame: write %d or %04d where the "
                                     "frame's number stands")),
                    "BAD_PATTERN");
}

absl::StatusOr<std::vector<uint64_t>> FindPages(Client& client, const SequenceRequest& request,
                                                const std::string& output,
                                                const std::string& mask) {
  if (request.frame.page != 0) {
    return WithReason(absl::InvalidArgumentError(
                          "the frames are the pages of the input: choose some by the first and the "
                          "last, not by a page"),
                      "BAD_REQUEST");
  }
  RenderRequest frame = request.frame;
  frame.output = output;
  // Nothing is written, and what is there does not matter; what may not fit one frame does not
  // either.
  frame.overwrite = true;
  frame.continue_partial = false;
  frame.mask.clear();
  frame.previous.clear();
  frame.region.reset();
  absl::StatusOr<Submission> planned = client.DryRun(frame);
  if (ErrorReason(planned.status()) == "MASK_MISSING" && !mask.empty()) {
    frame.mask = mask;
    frame.page = static_cast<uint32_t>(request.first.value_or(0));
    planned = client.DryRun(frame);
  }
  TW_RETURN_IF_ERROR(planned.status());
  const uint64_t pages = planned->job.plan.input_pages;
  if (pages == 1) return NotNumbered(frame.input);
  const uint64_t first = request.first.value_or(0);
  const uint64_t last = request.last.value_or(pages - 1);
  if (last >= pages) {
    return WithReason(absl::InvalidArgumentError(
                          absl::StrCat("pages ", first, " to ", last, " were asked for, and '",
                                       frame.input, "' has ", pages, " pages, 0 to ", pages - 1)),
                      "NO_SUCH_PAGE");
  }
  std::vector<uint64_t> numbers(last - first + 1);
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

}  // namespace tilewright
