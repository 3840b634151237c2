#include "worker/engine/memory_model.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace tilewright {

uint64_t MemoryModel::BytesAt(uint64_t pixels) const {
  constexpr double kMax = 0x1p63;
  return static_cast<uint64_t>(
      std::min(kMax, std::ceil(base_bytes + bytes_per_pixel * static_cast<double>(pixels))));
}

absl::StatusOr<MemoryModel> FitMemoryModel(MemorySample a, MemorySample b) {
  if (a.pixels > b.pixels) std::swap(a, b);
  if (a.pixels == 0 || a.pixels == b.pixels) {
    return absl::InvalidArgumentError(
        absl::StrCat("no line goes through samples at ", a.pixels, " and ", b.pixels, " pixels"));
  }
  if (a.bytes >= b.bytes) return MemoryModel{static_cast<double>(a.bytes), 0};
  const auto pixels = static_cast<double>(b.pixels);
  const auto bytes = static_cast<double>(b.bytes);
  const double slope =
      (bytes - static_cast<double>(a.bytes)) / (pixels - static_cast<double>(a.pixels));
  const double base = bytes - slope * pixels;
  if (base < 0) return MemoryModel{0, bytes / pixels};
  return MemoryModel{base, slope};
}

}  // namespace tilewright
