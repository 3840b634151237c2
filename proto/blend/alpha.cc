#include "proto/blend/alpha.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

// One input pixel of an output pixel's footprint along an axis.
struct Tap {
  int64_t index = 0;  // in the tile
  uint64_t weight = 0;
};

// The footprints of an output interval: pixel k has taps[begins[k]] … taps[begins[k + 1] - 1],
// weights summing to the same total for every pixel.
struct Footprints {
  std::vector<Tap> taps;
  std::vector<size_t> begins;
};

int64_t FloorDivide(int64_t n, int64_t d) { return n >= 0 ? n / d : -((-n + d - 1) / d); }

uint64_t Total(Scale scale) {
  if (scale.p() == scale.q()) return 1;
  return static_cast<uint64_t>(scale.p() > scale.q() ? 2 * scale.p() : scale.q());
}

absl::StatusOr<Footprints> MakeFootprints(Scale scale, Interval output, Interval tile,
                                          int64_t image) {
  const int64_t p = scale.p(), q = scale.q();
  Footprints footprints;
  absl::Status status;
  const auto add = [&](int64_t position, int64_t weight) {
    if (weight == 0) return;
    const int64_t index = std::clamp<int64_t>(position, 0, image - 1);
    if (index < tile.begin || index >= tile.end) {
      status.Update(absl::InvalidArgumentError(absl::StrCat(
          "resizing alpha at scale ", p, "/", q, " needs input pixel ", index, ", the tile holds [",
          tile.begin, ", ", tile.end, "): a tile with alpha needs a halo of at least 1")));
    }
    footprints.taps.push_back({index - tile.begin, static_cast<uint64_t>(weight)});
  };
  for (int64_t x = output.begin; x < output.end; ++x) {
    footprints.begins.push_back(footprints.taps.size());
    if (p == q) {
      add(x, 1);
    } else if (p > q) {
      const int64_t n = (2 * x + 1) * q - p;
      const int64_t i = FloorDivide(n, 2 * p);
      const int64_t f = n - 2 * p * i;
      add(i, 2 * p - f);
      add(i + 1, f);
    } else {
      // In units of 1/p input pixels: output x covers [xq, xq + q), input i covers [ip, ip + p).
      const int64_t begin = x * q, end = begin + q;
      for (int64_t i = begin / p; i * p < end; ++i) {
        add(i, std::min(end, (i + 1) * p) - std::max(begin, i * p));
      }
    }
    TW_RETURN_IF_ERROR(status);
  }
  footprints.begins.push_back(footprints.taps.size());
  return footprints;
}

template <typename T>
void Resample(const AlphaTile& tile, uint64_t total, const Footprints& columns,
              const Footprints& rows, T* alpha) {
  const T* plane = reinterpret_cast<const T*>(tile.samples) + tile.alpha_channel;
  const uint64_t divisor = total * total;
  for (size_t y = 0; y + 1 < rows.begins.size(); ++y) {
    for (size_t x = 0; x + 1 < columns.begins.size(); ++x) {
      uint64_t sum = divisor / 2;
      for (size_t j = rows.begins[y]; j < rows.begins[y + 1]; ++j) {
        const T* line = plane + rows.taps[j].index * tile.input.width * tile.channels;
        uint64_t row = 0;
        for (size_t i = columns.begins[x]; i < columns.begins[x + 1]; ++i) {
          row += columns.taps[i].weight * line[columns.taps[i].index * tile.channels];
        }
        sum += rows.taps[j].weight * row;
      }
      *alpha++ = static_cast<T>(sum / divisor);
    }
  }
}

}  // namespace

absl::Status ResizeAlpha(const AlphaTile& tile, Scale scale, const Rect& output, std::byte* alpha) {
  if (output.empty()) return absl::OkStatus();
  if (tile.type != SampleType::kU8 && tile.type != SampleType::kU16) {
    return absl::InvalidArgumentError(absl::StrCat("alpha of type ", SampleTypeName(tile.type),
                                                   " cannot be resized: use u8 or u16"));
  }
  if (tile.alpha_channel < 0 || tile.alpha_channel >= tile.channels || tile.image.width <= 0 ||
      tile.image.height <= 0 || output.x < 0 || output.y < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("alpha channel ", tile.alpha_channel, " of ", tile.channels, ", image ",
                     ToString(tile.image), ", output ", ToString(output), " make no sense"));
  }
  TW_ASSIGN_OR_RETURN(
      const Footprints columns,
      MakeFootprints(scale, output.horizontal(), tile.input.horizontal(), tile.image.width));
  TW_ASSIGN_OR_RETURN(
      const Footprints rows,
      MakeFootprints(scale, output.vertical(), tile.input.vertical(), tile.image.height));
  const uint64_t total = Total(scale);
  if (tile.type == SampleType::kU8) {
    Resample(tile, total, columns, rows, reinterpret_cast<uint8_t*>(alpha));
  } else {
    Resample(tile, total, columns, rows, reinterpret_cast<uint16_t*>(alpha));
  }
  return absl::OkStatus();
}

}  // namespace tilewright
