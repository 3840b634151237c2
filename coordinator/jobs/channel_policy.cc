#include "coordinator/jobs/channel_policy.h"

#include "absl/strings/str_cat.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

const char* Kind(int channels, bool has_alpha) {
  if (channels == 1) return "grey";
  if (channels == 2) return has_alpha ? "grey with alpha" : "2-channel";
  if (channels == 3) return "colour";
  return has_alpha ? "colour with alpha" : "4-channel";
}

absl::Status Mismatch(std::string text) {
  return WithReason(absl::InvalidArgumentError(std::move(text)), "CHANNEL_MISMATCH");
}

}  // namespace

absl::StatusOr<ChannelMatch> MatchChannels(const v1::Model& model, int channels, bool has_alpha) {
  const int takes = static_cast<int>(model.manifest().inputs(0).channels());
  const int gives = static_cast<int>(model.manifest().outputs(0).channels());
  if (takes != gives) {
    return Mismatch(absl::StrCat(model.name(), " takes ", takes, " channels and gives ", gives,
                                 ": only models that keep the number of channels can be rendered"));
  }
  if (takes == 0 || takes == channels) return ChannelMatch{};
  const int colours = has_alpha ? channels - 1 : channels;
  if (colours == takes || (colours == 1 && takes == 3)) return ChannelMatch{has_alpha};
  return Mismatch(absl::StrCat(
      "the input is a ", Kind(channels, has_alpha), " image and ", model.name(), " takes ", takes,
      takes == 1 ? " channel" : " channels", ": convert the image, or choose another model"));
}

}  // namespace tilewright
