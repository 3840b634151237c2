#include "coordinator/jobs/channel_policy.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/models/manifest.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

std::string Kind(const Channels& input) {
  if (input.count == 1) return "grey";
  if (input.count == 3) return "colour";
  if (input.array) return absl::StrCat(input.count, "-channel");
  return input.count == 2 ? "grey with alpha" : "colour with alpha";
}

// What a model gives that takes another number of channels than it gives.
Channels PictureOrArray(int gives) {
  return {gives, /*has_alpha=*/false, /*array=*/gives != 1 && gives != 3};
}

absl::Status Mismatch(std::string text) {
  return WithReason(absl::InvalidArgumentError(std::move(text)), "CHANNEL_MISMATCH");
}

}  // namespace

absl::StatusOr<ChannelMatch> MatchChannels(const v1::Model& model, const Channels& input) {
  const int takes = static_cast<int>(model.manifest().inputs(0).channels());
  const int gives = static_cast<int>(model.manifest().outputs(0).channels());
  const bool logits = GivesLogits(model.manifest());
  const Channels given = logits ? Channels{gives, false, /*array=*/true} : PictureOrArray(gives);
  const bool kept = takes == input.count && takes == gives && !logits;
  if (takes == 0 || kept) return ChannelMatch{false, input};
  if (takes == input.count) return ChannelMatch{false, given};
  if (model.manifest().inputs_size() > 1) {
    return Mismatch(absl::StrCat("the input is a ", Kind(input), " image and ", model.name(),
                                 ", which takes more than the image, wants one of exactly ", takes,
                                 takes == 1 ? " channel" : " channels", ": convert the image"));
  }
  const int colours = input.count - (input.has_alpha ? 1 : 0);
  const bool replicated = colours == 1 && takes == 3;
  if (input.array || (colours != takes && !replicated)) {
    return Mismatch(absl::StrCat("the input is a ", Kind(input), " image and ", model.name(),
                                 " takes ", takes, takes == 1 ? " channel" : " channels",
                                 ": convert the image, or choose another model"));
  }
  ChannelMatch match{input.has_alpha, given};
  if (replicated && gives == 3 && !logits) match.output.count = 1;
  if (!input.has_alpha) return match;
  if (match.output.array) {
    return Mismatch(absl::StrCat("the input has an alpha channel, and beside the ", gives,
                                 " channels that ", model.name(),
                                 " gives it means nothing: remove it from the image"));
  }
  match.output.has_alpha = true;
  ++match.output.count;
  return match;
}

}  // namespace tilewright
