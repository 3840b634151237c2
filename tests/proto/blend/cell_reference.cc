#include "tests/proto/blend/cell_reference.h"

#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace tilewright {
namespace {

constexpr std::byte kGuard{0xa5};

template <typename T>
T ReadAs(const std::byte* at) {
  T sample;
  std::memcpy(&sample, at, sizeof(T));
  return sample;
}

void StatedSample(const Scene& scene, int64_t x, int64_t y, int c, MixFunction mix,
                  std::byte* out) {
  const CellJob& job = scene.job;
  const bool blend_x = !job.wx.empty(), blend_y = !job.wy.empty();
  const uint32_t wx = blend_x ? job.wx[static_cast<size_t>(x)] : 0;
  const uint32_t wy = blend_y ? job.wy[static_cast<size_t>(y)] : 0;
  const CellSource* used[] = {&job.p00, blend_x ? &job.p10 : &job.p00,
                              blend_y ? &job.p01 : &job.p00,
                              blend_x && blend_y ? &job.p11 : &job.p00};
  const std::byte* at[4];
  for (int k = 0; k < 4; ++k) at[k] = scene.Sample(*used[k], x, y, c);
  if (!blend_x && !blend_y) {
    std::memcpy(out, at[0], static_cast<size_t>(BytesPerSample(job.type)));
    return;
  }
  if (job.type == SampleType::kU8) {
    const uint8_t sample =
        static_cast<uint8_t>(StatedInteger(ReadAs<uint8_t>(at[0]), ReadAs<uint8_t>(at[1]),
                                           ReadAs<uint8_t>(at[2]), ReadAs<uint8_t>(at[3]), wx, wy));
    std::memcpy(out, &sample, sizeof(sample));
    return;
  }
  if (job.type == SampleType::kU16) {
    const uint16_t sample = static_cast<uint16_t>(
        StatedInteger(ReadAs<uint16_t>(at[0]), ReadAs<uint16_t>(at[1]), ReadAs<uint16_t>(at[2]),
                      ReadAs<uint16_t>(at[3]), wx, wy));
    std::memcpy(out, &sample, sizeof(sample));
    return;
  }
  const bool half = job.type == SampleType::kF16;
  float p[4];
  for (int k = 0; k < 4; ++k) {
    p[k] = half ? FloatFromHalf(ReadAs<uint16_t>(at[k])) : ReadAs<float>(at[k]);
  }
  const float top = blend_x ? mix(p[0], p[1], wx) : p[0];
  const float low = blend_x ? mix(p[2], p[3], wx) : p[2];
  const float value = blend_y ? mix(top, low, wy) : top;
  if (half) {
    const uint16_t sample = HalfFromFloat(value);
    std::memcpy(out, &sample, sizeof(sample));
  } else {
    std::memcpy(out, &value, sizeof(value));
  }
}

}  // namespace

void RandomSample(SampleType type, std::mt19937& random, std::byte* at) {
  const uint32_t bits = random();
  switch (type) {
    case SampleType::kU8: {
      const uint8_t sample = static_cast<uint8_t>(bits);
      std::memcpy(at, &sample, 1);
      return;
    }
    case SampleType::kU16: {
      const uint16_t sample = static_cast<uint16_t>(bits);
      std::memcpy(at, &sample, 2);
      return;
    }
    case SampleType::kF16: {
      uint16_t sample = static_cast<uint16_t>(bits);
      if ((sample & 0x7c00) == 0x7c00) sample ^= 0x4000;  // finite, subnormals too
      std::memcpy(at, &sample, 2);
      return;
    }
    case SampleType::kF32: {
      const float sample = std::ldexp(static_cast<float>(static_cast<int32_t>(bits)),
                                      static_cast<int>(random() % 16) - 38);
      std::memcpy(at, &sample, 4);
      return;
    }
  }
}

Scene MakeScene(SampleType type, int channels, Size size, bool blend_x, bool blend_y,
                uint32_t seed) {
  std::mt19937 random(seed);
  Scene scene;
  CellJob& job = scene.job;
  job.type = type;
  job.channels = channels;
  job.size = size;
  const int64_t bytes = BytesPerSample(type);
  CellSource* sources[] = {&job.p00, &job.p10, &job.p01, &job.p11};
  for (int k = 0; k < 4; ++k) {
    const int64_t row_samples = size.width * channels + 1 + 2 * k;
    scene.tiles[k].resize(static_cast<size_t>(row_samples * size.height * bytes));
    for (size_t i = 0; i < scene.tiles[k].size(); i += static_cast<size_t>(bytes)) {
      RandomSample(type, random, &scene.tiles[k][i]);
    }
    *sources[k] = {scene.tiles[k].data(), row_samples * bytes};
  }
  for (int64_t x = 0; blend_x && x < size.width; ++x) {
    scene.wx.push_back(static_cast<uint16_t>(random() % 257));
  }
  for (int64_t y = 0; blend_y && y < size.height; ++y) {
    scene.wy.push_back(static_cast<uint16_t>(random() % 257));
  }
  job.wx = scene.wx;
  job.wy = scene.wy;
  job.out_row_bytes = (size.width * channels + 3) * bytes;
  return scene;
}

std::vector<std::byte> Blend(InstructionSet set, const CellJob& job) {
  std::vector<std::byte> out(static_cast<size_t>(job.out_row_bytes * job.size.height), kGuard);
  CellJob copy = job;
  copy.out = out.data();
  BlendCellWith(set, copy);
  return out;
}

uint32_t StatedInteger(uint32_t p00, uint32_t p10, uint32_t p01, uint32_t p11, uint32_t wx,
                       uint32_t wy) {
  return ((256 - wy) * ((256 - wx) * p00 + wx * p10) + wy * ((256 - wx) * p01 + wx * p11) +
          32768) >>
         16;
}

float StatedMix(float p, float r, uint32_t w) {
  const float weight = static_cast<float>(w) / 256.0f;
  const float step = (r - p) * weight;
  return p + step;
}

std::vector<std::byte> Stated(const Scene& scene, MixFunction mix) {
  const CellJob& job = scene.job;
  std::vector<std::byte> out(static_cast<size_t>(job.out_row_bytes * job.size.height), kGuard);
  for (int64_t y = 0; y < job.size.height; ++y) {
    for (int64_t x = 0; x < job.size.width; ++x) {
      for (int c = 0; c < job.channels; ++c) {
        StatedSample(scene, x, y, c, mix,
                     &out[static_cast<size_t>(y * job.out_row_bytes +
                                              (x * job.channels + c) * BytesPerSample(job.type))]);
      }
    }
  }
  return out;
}

std::string Describe(const CellJob& job, InstructionSet set) {
  return absl::StrCat(SampleTypeName(job.type), " x", job.channels, " ", ToString(job.size),
                      job.wx.empty() ? "" : " along x", job.wy.empty() ? "" : " along y", " with ",
                      InstructionSetName(set));
}

}  // namespace tilewright
