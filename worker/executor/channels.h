// How the channels of samples meet those of a network: which are colour, which is alpha, and what a
// grey image does in a model of three channels. Pure; thread-safe.

#ifndef TILEWRIGHT_WORKER_EXECUTOR_CHANNELS_H_
#define TILEWRIGHT_WORKER_EXECUTOR_CHANNELS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tilewright/v1/model_service.pb.h"

namespace tilewright {

// Samples come as grey (1), grey and alpha (2), colour (3), colour and alpha (4), or as an array of
// as many channels as the network takes. For a network of several inputs they are those of all its
// inputs, one after the other.
struct ChannelPlan {
  int samples_in = 0;        // per pixel, as they travel
  int network_in = 0;        // given to the network
  int network_out = 0;       // given by it
  int samples_out = 0;       // per pixel of the result
  bool replicate = false;    // one grey sample fills all channels of the network
  bool average = false;      // and the network's channels are averaged to one before quantising
  bool split_alpha = false;  // the last sample is alpha, which the network does not see

  // What replicate and split_alpha leave of `samples_in` channels.
  int colour_in() const { return samples_in - (split_alpha ? 1 : 0); }
  int colour_out() const { return samples_out - (split_alpha ? 1 : 0); }
};

// The plan for samples of `samples_in` channels. FAILED with a MODEL_ERROR cause for a colour image
// in a model of one channel, and for any other pair that has no meaning.
absl::StatusOr<ChannelPlan> PlanChannels(const v1::ModelManifest& manifest, int samples_in);

// Network values of the colour channels, from interleaved values of all channels.
std::vector<float> ToNetworkChannels(const ChannelPlan& plan, std::vector<float> values);
// Values of the result's colour channels, from what the network gave. The mean is taken in double,
// in channel order.
std::vector<float> FromNetworkChannels(const ChannelPlan& plan, std::vector<float> values);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_EXECUTOR_CHANNELS_H_
