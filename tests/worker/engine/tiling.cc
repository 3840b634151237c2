#include "tests/worker/engine/tiling.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_format.h"
#include "proto/base/status_macros.h"
#include "proto/geometry/axis.h"
#include "proto/geometry/scale.h"
#include "proto/wire/noise.h"

namespace tilewright {
namespace {

NetworkTile Cut(const Picture& picture, const Rect& rect, uint64_t index) {
  NetworkTile tile{index, rect.size(), picture.channels, {}};
  const int64_t row = rect.width * picture.channels;
  for (int64_t y = rect.y; y < rect.bottom(); ++y) {
    const float* from =
        picture.values.data() + (y * picture.size.width + rect.x) * picture.channels;
    tile.values.insert(tile.values.end(), from, from + row);
  }
  return tile;
}

// Alignment 1, hard cuts.
absl::StatusOr<Axis> AxisOf(int64_t size, int64_t tile, int64_t halo, Scale scale) {
  AxisOptions options;
  options.size = size;
  options.tile = std::min(tile, size);
  options.halo = halo;
  options.scale = scale;
  return Axis::Create(options);
}

int Quantised(float value) {
  return static_cast<int>(std::clamp(std::floor(double{value} * 255 + 0.5), 0.0, 255.0));
}

}  // namespace

Picture SmoothPicture(Size size, int channels, uint64_t seed) {
  SplitMix64 random(seed);
  const auto unit = [&random] { return static_cast<double>(random.Next() >> 11) * 0x1p-53; };
  struct Wave {
    double x, y, phase, height;
  };
  std::vector<std::vector<Wave>> waves(static_cast<size_t>(channels));
  for (auto& of_channel : waves) {
    for (int i = 0; i < 6; ++i) {
      of_channel.push_back({0.3 * (unit() - 0.5), 0.3 * (unit() - 0.5), 6.3 * unit(), 0.07});
    }
  }
  Picture picture{size, channels, {}};
  for (int64_t y = 0; y < size.height; ++y) {
    for (int64_t x = 0; x < size.width; ++x) {
      for (const auto& of_channel : waves) {
        double value = 0.5 + 0.04 * (unit() - 0.5);
        for (const Wave& wave : of_channel) {
          value += wave.height * std::cos(wave.x * static_cast<double>(x) +
                                          wave.y * static_cast<double>(y) + wave.phase);
        }
        picture.values.push_back(static_cast<float>(Quantised(static_cast<float>(value))) / 255.0f);
      }
    }
  }
  return picture;
}

Picture NoisePicture(Size size, int channels, uint64_t seed) {
  SplitMix64 random(seed);
  Picture picture{size, channels, {}};
  for (int64_t i = 0; i < size.area() * channels; ++i) {
    picture.values.push_back(static_cast<float>(random.Next() % 256) / 255.0f);
  }
  return picture;
}

std::vector<NetworkTile> NoiseTiles(int count, Size size) {
  std::vector<NetworkTile> tiles;
  for (uint64_t i = 0; i < static_cast<uint64_t>(count); ++i) {
    tiles.push_back({i, size, 3, NoisePicture(size, 3, i).values});
  }
  return tiles;
}

StageKey KeyFor(const LocalModel& model, Size shape, int batch, int channels) {
  StageKey key;
  key.model_digest = model.digest;
  key.shape = shape;
  key.channels = channels;
  key.batch = batch;
  key.dtype = "fp32";
  return key;
}

absl::StatusOr<Picture> RunWhole(Engine& engine, const LocalModel& model, const Picture& picture) {
  TW_ASSIGN_OR_RETURN(
      auto stage,
      engine.Load(model, KeyFor(model, picture.size, /*batch=*/1, picture.channels), {}));
  NetworkTile tile{0, picture.size, picture.channels, picture.values};
  TW_ASSIGN_OR_RETURN(auto outputs, stage->Run({&tile, 1}));
  return Picture{outputs[0].size, outputs[0].channels, std::move(outputs[0].values)};
}

absl::StatusOr<Picture> RunTiled(Engine& engine, const LocalModel& model, const Picture& picture,
                                 int64_t tile, int64_t halo) {
  TW_ASSIGN_OR_RETURN(const Scale scale, ScaleOf(model.manifest));
  TW_ASSIGN_OR_RETURN(const Axis x, AxisOf(picture.size.width, tile, halo, scale));
  TW_ASSIGN_OR_RETURN(const Axis y, AxisOf(picture.size.height, tile, halo, scale));
  const Size shape{x.options().tile, y.options().tile};
  TW_ASSIGN_OR_RETURN(auto stage,
                      engine.Load(model, KeyFor(model, shape, /*batch=*/1, picture.channels), {}));
  Picture merged{{scale.Exact(picture.size.width), scale.Exact(picture.size.height)}, 0, {}};
  for (int64_t i = 0; i < x.tile_count() * y.tile_count(); ++i) {
    const int64_t column = i % x.tile_count();
    const int64_t line = i / x.tile_count();
    const Rect input = Rect::FromIntervals(x.Input(column), y.Input(line));
    const Rect part = Rect::FromIntervals(x.Contribution(column), y.Contribution(line));
    const NetworkTile tile_in = Cut(picture, input, static_cast<uint64_t>(i));
    TW_ASSIGN_OR_RETURN(const auto outputs, stage->Run({&tile_in, 1}));
    const NetworkTile& out = outputs[0];
    if (merged.channels == 0) {
      merged.channels = out.channels;
      merged.values.resize(static_cast<size_t>(merged.size.area() * out.channels));
    }
    const int64_t left = part.x - scale.Exact(input.x);
    const int64_t top = part.y - scale.Exact(input.y);
    for (int64_t row = 0; row < part.height; ++row) {
      std::memcpy(
          merged.values.data() + ((part.y + row) * merged.size.width + part.x) * merged.channels,
          out.values.data() + ((top + row) * out.size.width + left) * out.channels,
          sizeof(float) * static_cast<size_t>(part.width * out.channels));
    }
  }
  return merged;
}

std::string Difference::Text() const {
  return absl::StrFormat("%d of %d samples off, at most %d LSB, raw %.3g%s", off, samples, max_lsb,
                         max_raw, same_bits ? ", the same bits" : "");
}

Difference Compare(const Picture& a, const Picture& b) {
  Difference difference;
  if (a.size != b.size || a.channels != b.channels || a.values.size() != b.values.size()) {
    difference.max_lsb = 255;
    difference.off = difference.samples = 1;
    return difference;
  }
  difference.samples = static_cast<int64_t>(a.values.size());
  difference.same_bits =
      std::memcmp(a.values.data(), b.values.data(), a.values.size() * sizeof(float)) == 0;
  for (size_t i = 0; i < a.values.size(); ++i) {
    const int lsb = std::abs(Quantised(a.values[i]) - Quantised(b.values[i]));
    difference.off += lsb != 0;
    difference.max_lsb = std::max(difference.max_lsb, lsb);
    difference.max_raw =
        std::max(difference.max_raw, std::abs(double{a.values[i]} - double{b.values[i]}));
  }
  return difference;
}

}  // namespace tilewright
