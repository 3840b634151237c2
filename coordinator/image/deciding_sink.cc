#include "coordinator/image/deciding_sink.h"

#include <cassert>
#include <cstdint>
#include <cstring>
#include <limits>

namespace tilewright {

CanvasFormat DecidedFormat(const CanvasFormat& logits) {
  return {logits.size, 1, SampleType::kU8, /*array=*/false, /*labels=*/true};
}

void DecideGreatest(absl::Span<const std::byte> logits, int channels,
                    absl::Span<std::byte> labels) {
  assert(channels >= 1 && channels <= kChannelsMax);
  assert(logits.size() == labels.size() * static_cast<size_t>(channels) * sizeof(float));
  const std::byte* from = logits.data();
  for (std::byte& label : labels) {
    float greatest = -std::numeric_limits<float>::infinity();
    int number = 0;
    for (int c = 0; c < channels; ++c, from += sizeof(float)) {
      float value;
      std::memcpy(&value, from, sizeof(value));
      if (value > greatest) {
        greatest = value;
        number = c;
      }
    }
    label = static_cast<std::byte>(number);
  }
}

absl::Status DecidingSink::WriteBlock(int64_t column, int64_t row,
                                      absl::Span<const std::byte> samples) {
  labels_.resize(static_cast<size_t>(logits_.BlockRect(column, row).area()));
  DecideGreatest(samples, logits_.channels, absl::MakeSpan(labels_));
  return next_.WriteBlock(column, row, labels_);
}

}  // namespace tilewright
