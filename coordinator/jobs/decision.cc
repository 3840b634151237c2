#include "coordinator/jobs/decision.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/models/manifest.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

absl::Status BadDecision(std::string text) {
  return WithReason(absl::InvalidArgumentError(std::move(text)), "BAD_REQUEST");
}

}  // namespace

absl::StatusOr<bool> ResolveDecision(const v1::RenderRequest& request,
                                     const RepositoryModel& model) {
  const std::string& name = model.model.name();
  const bool logits = GivesLogits(model.model.manifest());
  if (request.output_options().undecided()) {
    if (logits) return false;
    return BadDecision(
        absl::StrCat("undecided values were asked for, and nothing is decided of "
                     "what ",
                     name, " gives: leave --undecided away"));
  }
  if (!logits) return false;
  if (!request.mask().empty()) {
    return BadDecision(absl::StrCat(
        "labels are made of what ", name,
        " gives, and a mask cannot mix them with the image's samples: leave the mask away"));
  }
  const v1::SampleType sample = request.stages(request.stages_size() - 1).output_sample();
  if (sample != v1::SAMPLE_TYPE_UNSPECIFIED && sample != v1::SAMPLE_TYPE_U8) {
    return BadDecision(absl::StrCat("labels are made of what ", name,
                                    " gives, and they are u8: leave the sample type away, or ask "
                                    "for the values themselves with --undecided"));
  }
  return true;
}

}  // namespace tilewright
