// Which images a model takes. Pure; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_CHANNEL_POLICY_H_
#define TILEWRIGHT_COORDINATOR_JOBS_CHANNEL_POLICY_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tilewright/v1/model_service.pb.h"

namespace tilewright {

// Samples per pixel, and what they are. An array's are values, not colours: none is alpha.
struct Channels {
  int count = 0;
  bool has_alpha = false;
  bool array = false;
  friend bool operator==(const Channels&, const Channels&) = default;
};

struct ChannelMatch {
  // The model does not see the alpha channel: workers resize it beside the model.
  bool alpha_beside = false;
  Channels output;
};

// Whether such an image can go through the model, and what comes out: any number of channels where
// the manifest says 0, the number that the model takes, grey for a 3-channel model (replicated;
// averaged if the model gives 3), alpha beside either if the model gives 1 or 3. A model that gives
// another number than it takes gives a picture if that is 1 or 3, else an array; logits are always
// one. A model that takes more than the image wants exactly its channels: none is replicated or
// left out. INVALID_ARGUMENT (CHANNEL_MISMATCH) else, for instance a colour image for a 1-channel
// model.
absl::StatusOr<ChannelMatch> MatchChannels(const v1::Model& model, const Channels& input);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_CHANNEL_POLICY_H_
