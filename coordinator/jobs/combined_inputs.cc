#include "coordinator/jobs/combined_inputs.h"

#include <algorithm>

#include "coordinator/merge/padding.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

absl::Status ConvertSamples(SampleType from, ValueRange range, SampleType to,
                            std::vector<std::byte>* samples) {
  if (from == to) return absl::OkStatus();
  std::vector<float> values(samples->size() / static_cast<size_t>(BytesPerSample(from)));
  ToNetwork(from, samples->data(), range, absl::MakeSpan(values));
  samples->resize(values.size() * static_cast<size_t>(BytesPerSample(to)));
  return FromNetwork(values, range, to, samples->data());
}

// Puts `channels`, all of one input, into the pixels of `together_bytes` that begin at `to`.
void Scatter(absl::Span<const std::byte> channels, size_t pixel_bytes, size_t together_bytes,
             std::byte* to) {
  for (size_t at = 0; at < channels.size(); at += pixel_bytes, to += together_bytes) {
    std::copy_n(channels.data() + at, pixel_bytes, to);
  }
}

}  // namespace

absl::Status CombinedInputs::ReadBeside(const PixelsBeside& beside, const Rect& rect,
                                        std::vector<std::byte>* samples) const {
  const int64_t pixel_bytes = beside.channels * BytesPerSample(beside.sample);
  samples->assign(static_cast<size_t>(rect.area() * pixel_bytes), std::byte{0});
  if (beside.read != nullptr) {
    TW_RETURN_IF_ERROR(ReadPadded(rect, image_.info().size, plan_.model().pad_mode, pixel_bytes,
                                  absl::MakeSpan(*samples), beside.read));
  }
  return ConvertSamples(beside.sample, beside.range, image_.info().sample, samples);
}

absl::Status CombinedInputs::Read(TileIndex tile, absl::Span<std::byte> samples) {
  const Rect rect = plan_.InputRect(tile);
  const auto pixels = static_cast<size_t>(rect.area());
  const size_t together_bytes = samples.size() / pixels;
  const auto image_bytes = static_cast<size_t>(image_.info().pixel_bytes());
  std::vector<std::byte> own(pixels * image_bytes);
  TW_RETURN_IF_ERROR(image_.Read(rect, plan_.model().pad_mode, absl::MakeSpan(own)));
  Scatter(own, image_bytes, together_bytes, samples.data());
  size_t first = image_bytes;
  for (const PixelsBeside& beside : beside_) {
    TW_RETURN_IF_ERROR(ReadBeside(beside, rect, &own));
    const size_t pixel_bytes = own.size() / pixels;
    Scatter(own, pixel_bytes, together_bytes, samples.data() + first);
    first += pixel_bytes;
  }
  return absl::OkStatus();
}

}  // namespace tilewright
