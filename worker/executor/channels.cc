#include "worker/executor/channels.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/blend/channel_count.h"
#include "worker/engine/engine.h"

namespace tilewright {

absl::StatusOr<ChannelPlan> PlanChannels(const v1::ModelManifest& manifest, int samples_in) {
  if (samples_in < 1 || samples_in > kChannelsMax || manifest.inputs_size() < 1 ||
      manifest.outputs_size() != 1) {
    return EngineError(
        v1::FAILURE_CAUSE_MODEL_ERROR,
        absl::StrCat("tiles of ", samples_in, " channels for a model of ", manifest.inputs_size(),
                     " inputs and ", manifest.outputs_size(), " outputs cannot be computed"));
  }
  const auto takes = static_cast<int>(manifest.inputs(0).channels());
  const auto gives = static_cast<int>(manifest.outputs(0).channels());
  ChannelPlan plan;
  plan.samples_in = samples_in;
  if (manifest.inputs_size() > 1) {
    int64_t together = 0;
    for (const v1::TensorManifest& input : manifest.inputs()) together += input.channels();
    if (together != samples_in) {
      return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR,
                         absl::StrCat("the model's ", manifest.inputs_size(), " inputs take ",
                                      together, " channels, the tiles have ", samples_in));
    }
    plan.network_in = samples_in;
    plan.network_out = gives;
    plan.samples_out = gives;
    return plan;
  }
  if (takes == 0 || takes == samples_in) {
    plan.network_in = samples_in;
    plan.network_out = gives == 0 ? samples_in : gives;
    plan.samples_out = plan.network_out;
    return plan;
  }
  // Arrays, whose channels are no colours, go to models that take all of them.
  const bool has_alpha = samples_in == 2 || samples_in == 4;
  const int colours = samples_in - (has_alpha ? 1 : 0);
  if (takes != 3 && takes != 1) {
    return EngineError(
        v1::FAILURE_CAUSE_MODEL_ERROR,
        absl::StrCat("the model takes ", takes, " channels, the image has ", samples_in));
  }
  if (colours > takes) {
    return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR,
                       "the model takes one channel, the image has colour; convert it to grey");
  }
  plan.split_alpha = has_alpha;
  plan.network_in = takes;
  plan.network_out = gives;
  plan.replicate = colours == 1 && takes == 3;
  // Logits are no colours.
  const bool logits = manifest.outputs(0).decision() != v1::DECISION_KIND_UNSPECIFIED;
  plan.average = plan.replicate && gives == 3 && !logits;
  if (has_alpha && gives != 1 && gives != 3) {
    return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR,
                       absl::StrCat("the model gives ", gives,
                                    " channels, beside which an alpha channel means nothing"));
  }
  plan.samples_out = (plan.average ? 1 : gives) + (has_alpha ? 1 : 0);
  return plan;
}

std::vector<float> ToNetworkChannels(const ChannelPlan& plan, std::vector<float> values) {
  if (!plan.split_alpha && !plan.replicate) return values;
  const auto in = static_cast<size_t>(plan.samples_in);
  const auto out = static_cast<size_t>(plan.network_in);
  const size_t pixels = values.size() / in;
  std::vector<float> network(pixels * out);
  for (size_t i = 0; i < pixels; ++i) {
    for (size_t c = 0; c < out; ++c) {
      network[i * out + c] = values[i * in + (plan.replicate ? 0 : c)];
    }
  }
  return network;
}

std::vector<float> FromNetworkChannels(const ChannelPlan& plan, std::vector<float> values) {
  if (!plan.average) return values;
  const auto channels = static_cast<size_t>(plan.network_out);
  std::vector<float> means(values.size() / channels);
  for (size_t i = 0; i < means.size(); ++i) {
    double sum = 0;
    for (size_t c = 0; c < channels; ++c) sum += static_cast<double>(values[i * channels + c]);
    means[i] = static_cast<float>(sum / static_cast<double>(channels));
  }
  return means;
}

}  // namespace tilewright
