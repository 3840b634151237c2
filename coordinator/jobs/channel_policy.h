// Which images a model takes. Pure; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_CHANNEL_POLICY_H_
#define TILEWRIGHT_COORDINATOR_JOBS_CHANNEL_POLICY_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tilewright/v1/model_service.pb.h"

namespace tilewright {

struct ChannelMatch {
  // The model does not see the alpha channel: workers resize it beside the model.
  bool alpha_beside = false;
};

// Whether an image of `channels` samples per pixel can go through the model: any number where the
// manifest says 0, equal numbers, grey for a 3-channel model (replicated, then averaged), alpha
// beside either. INVALID_ARGUMENT (CHANNEL_MISMATCH) else, for instance a colour image for a
// 1-channel model.
absl::StatusOr<ChannelMatch> MatchChannels(const v1::Model& model, int channels, bool has_alpha);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_CHANNEL_POLICY_H_
