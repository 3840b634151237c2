#include "worker/executor/convert.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "proto/blend/alpha.h"
#include "proto/wire/tile_types.h"

namespace tilewright {
namespace {

constexpr uint32_t kSideMax = 65536;

template <typename... Parts>
absl::Status Refused(const Parts&... parts) {
  return EngineError(v1::FAILURE_CAUSE_REFUSED, absl::StrCat(parts...));
}

absl::StatusOr<SampleType> SampleTypeOf(v1::SampleType type) {
  const std::optional<SampleType> known = FromWire(type);
  if (known.has_value()) return *known;
  return Refused("the stage names a sample type that this worker does not know (",
                 static_cast<int>(type), ")");
}

ValueRange RangeOf(const v1::TensorManifest& tensor) {
  if (!tensor.has_range()) return {};
  return {tensor.range().lo(), tensor.range().hi()};
}

// Alpha knows no network; where its sample type changes, the range 0 … 1 is mapped to itself.
absl::Status ConvertAlpha(SampleType from, const std::vector<std::byte>& alpha, SampleType to,
                          std::vector<std::byte>* converted) {
  if (from == to) {
    *converted = alpha;
    return absl::OkStatus();
  }
  std::vector<float> values(alpha.size() / static_cast<size_t>(BytesPerSample(from)));
  ToNetwork(from, alpha.data(), {}, absl::MakeSpan(values));
  converted->resize(values.size() * static_cast<size_t>(BytesPerSample(to)));
  return FromNetwork(values, {}, to, converted->data());
}

// The alpha samples of the contribution, in the output's type.
absl::StatusOr<std::vector<std::byte>> AlphaOf(const StageNumbers& stage, const TileTask& task) {
  if (stage.image.area() == 0) {
    return Refused("the stage does not say the image's size, which alpha is resized by");
  }
  AlphaTile tile;
  tile.samples = task.samples.data();
  tile.type = stage.input_type;
  tile.channels = stage.channels.samples_in;
  tile.alpha_channel = stage.channels.samples_in - 1;
  tile.input = task.input;
  tile.image = stage.image;
  const auto pixels = static_cast<size_t>(task.contribution.area());
  std::vector<std::byte> resized(pixels * static_cast<size_t>(BytesPerSample(stage.input_type)));
  const absl::Status status = ResizeAlpha(tile, stage.scale, task.contribution, resized.data());
  if (!status.ok()) return Refused("resizing alpha: ", status.message());
  std::vector<std::byte> alpha;
  TW_RETURN_IF_ERROR(ConvertAlpha(stage.input_type, resized, stage.output_type, &alpha));
  return alpha;
}

// Samples of several inputs, each of its own range.
void ConvertInputs(const StageNumbers& stage, const std::vector<std::byte>& samples,
                   std::vector<float>* values) {
  const auto sample_bytes = static_cast<size_t>(BytesPerSample(stage.input_type));
  const auto together = static_cast<size_t>(stage.channels.samples_in);
  const size_t pixels = values->size() / together;
  std::vector<std::byte> own;
  std::vector<float> converted;
  size_t first = 0;
  for (const NetworkInput& input : stage.inputs) {
    const auto channels = static_cast<size_t>(input.channels);
    own.resize(pixels * channels * sample_bytes);
    std::byte* to = own.data();
    for (size_t p = 0; p < pixels; ++p) {
      to = std::copy_n(samples.data() + (p * together + first) * sample_bytes,
                       channels * sample_bytes, to);
    }
    converted.resize(pixels * channels);
    ToNetwork(stage.input_type, own.data(), input.range, absl::MakeSpan(converted));
    const float* from = converted.data();
    for (size_t p = 0; p < pixels; ++p, from += channels) {
      std::copy_n(from, channels, values->data() + p * together + first);
    }
    first += channels;
  }
}

// The contribution's values, cut out of the engine's output.
std::vector<float> Crop(const StageNumbers& stage, const TileTask& task,
                        const NetworkTile& output) {
  const int64_t left = task.contribution.x - stage.scale.Exact(task.input.x);
  const int64_t top = task.contribution.y - stage.scale.Exact(task.input.y);
  const int64_t channels = output.channels;
  const int64_t row = task.contribution.width * channels;
  std::vector<float> values;
  values.reserve(static_cast<size_t>(row * task.contribution.height));
  for (int64_t y = 0; y < task.contribution.height; ++y) {
    const float* from = output.values.data() + ((top + y) * output.size.width + left) * channels;
    values.insert(values.end(), from, from + row);
  }
  return values;
}

// Colour samples and alpha samples, pixel by pixel.
void Interleave(const std::vector<std::byte>& colour, size_t colour_bytes,
                const std::vector<std::byte>& alpha, size_t alpha_bytes, std::byte* out) {
  const size_t pixels = alpha.size() / alpha_bytes;
  for (size_t i = 0; i < pixels; ++i) {
    out = std::copy_n(colour.data() + i * colour_bytes, colour_bytes, out);
    out = std::copy_n(alpha.data() + i * alpha_bytes, alpha_bytes, out);
  }
}

// `values` as samples of the output's type.
absl::Status Quantised(const StageNumbers& stage, const TileTask& task,
                       const std::vector<float>& values, std::byte* samples) {
  const absl::Status finite = FromNetwork(values, stage.output_range, stage.output_type, samples);
  if (finite.ok()) return finite;
  return EngineError(v1::FAILURE_CAUSE_BAD_RESULT,
                     absl::StrCat("tile ", task.index, ": ", finite.message()));
}

}  // namespace

absl::StatusOr<StageNumbers> ReadStage(const v1::StageSpec& stage,
                                       const v1::ModelManifest& manifest) {
  StageNumbers numbers;
  if (stage.tile_width() < 1 || stage.tile_height() < 1 || stage.tile_width() > kSideMax ||
      stage.tile_height() > kSideMax) {
    return Refused("tiles of ", stage.tile_width(), "x", stage.tile_height(),
                   " are not between 1 and ", kSideMax, " a side");
  }
  if (stage.batch() < 1 || stage.batch() > 1024) {
    return Refused("a batch of ", stage.batch(), " is not between 1 and 1024");
  }
  numbers.shape = {stage.tile_width(), stage.tile_height()};
  numbers.image = {stage.image_width(), stage.image_height()};
  TW_ASSIGN_OR_RETURN(numbers.scale, ScaleOf(manifest));
  const auto said = Scale::Create(stage.scale_p() == 0 ? 1 : stage.scale_p(),
                                  stage.scale_q() == 0 ? 1 : stage.scale_q());
  if (!said.ok() || *said != numbers.scale) {
    return Refused("the stage says scale ", stage.scale_p(), "/", stage.scale_q(),
                   ", its model's manifest ", numbers.scale.p(), "/", numbers.scale.q());
  }
  TW_ASSIGN_OR_RETURN(numbers.channels,
                      PlanChannels(manifest, static_cast<int>(stage.input_channels())));
  if (static_cast<uint32_t>(numbers.channels.samples_out) != stage.output_channels()) {
    return Refused("the stage wants ", stage.output_channels(),
                   " output channels, the model gives ", numbers.channels.samples_out);
  }
  TW_ASSIGN_OR_RETURN(numbers.input_type, SampleTypeOf(stage.input_sample()));
  TW_ASSIGN_OR_RETURN(numbers.output_type, SampleTypeOf(stage.output_sample()));
  for (const v1::TensorManifest& input : manifest.inputs()) {
    numbers.inputs.push_back({static_cast<int>(input.channels()), RangeOf(input)});
  }
  if (numbers.inputs.size() == 1) numbers.inputs[0].channels = numbers.channels.samples_in;
  numbers.output_range = RangeOf(manifest.outputs(0));
  return numbers;
}

NetworkTile ToNetworkTile(const StageNumbers& stage, const TileTask& task) {
  std::vector<float> values(static_cast<size_t>(stage.shape.area() * stage.channels.samples_in));
  if (stage.inputs.size() == 1) {
    ToNetwork(stage.input_type, task.samples.data(), stage.inputs[0].range, absl::MakeSpan(values));
  } else {
    ConvertInputs(stage, task.samples, &values);
  }
  return {task.index, stage.shape, stage.channels.network_in,
          ToNetworkChannels(stage.channels, std::move(values))};
}

absl::StatusOr<TileSamples> FromNetworkTile(const StageNumbers& stage, const TileTask& task,
                                            const NetworkTile& output) {
  const std::vector<float> values = FromNetworkChannels(stage.channels, Crop(stage, task, output));
  const auto sample_bytes = static_cast<size_t>(BytesPerSample(stage.output_type));
  if (!stage.channels.split_alpha) {
    TileSamples samples = task.TakeMemory(values.size() * sample_bytes);
    TW_RETURN_IF_ERROR(Quantised(stage, task, values, samples.bytes().data()));
    return samples;
  }
  std::vector<std::byte> colour(values.size() * sample_bytes);
  TW_RETURN_IF_ERROR(Quantised(stage, task, values, colour.data()));
  TW_ASSIGN_OR_RETURN(const std::vector<std::byte> alpha, AlphaOf(stage, task));
  TileSamples samples = task.TakeMemory(colour.size() + alpha.size());
  const auto colour_bytes = static_cast<size_t>(stage.channels.colour_out()) * sample_bytes;
  Interleave(colour, colour_bytes, alpha, sample_bytes, samples.bytes().data());
  return samples;
}

}  // namespace tilewright
