// Blending as its rule is written, one sample at a time, and scenes to blend; for tests. Pure;
// thread-safe.

#ifndef TILEWRIGHT_TESTS_PROTO_BLEND_CELL_REFERENCE_H_
#define TILEWRIGHT_TESTS_PROTO_BLEND_CELL_REFERENCE_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "proto/blend/cell.h"
#include "proto/blend/sample.h"
#include "proto/geometry/rect.h"

namespace tilewright {

inline constexpr SampleType kTypes[] = {SampleType::kU8, SampleType::kU16, SampleType::kF16,
                                        SampleType::kF32};

// Four contributors of a cell with random samples and weights, their rows longer than the cell.
// Moves keep the job's pointers valid, copies do not: hence none.
struct Scene {
  Scene() = default;
  Scene(Scene&&) = default;
  Scene& operator=(Scene&&) = default;

  CellJob job;
  std::vector<uint16_t> wx, wy;
  std::vector<std::byte> tiles[4];

  const std::byte* Sample(const CellSource& source, int64_t x, int64_t y, int c) const {
    return source.data + y * source.row_bytes + (x * job.channels + c) * BytesPerSample(job.type);
  }
};

// Any finite sample of the type, subnormals too.
void RandomSample(SampleType type, std::mt19937& random, std::byte* at);
Scene MakeScene(SampleType type, int channels, Size size, bool blend_x, bool blend_y,
                uint32_t seed);

// The cell by the kernels of `set`, rows of job.out_row_bytes, with guard bytes where no sample
// lies.
std::vector<std::byte> Blend(InstructionSet set, const CellJob& job);

// One integer sample by the rule; weights in 1/256.
uint32_t StatedInteger(uint32_t p00, uint32_t p10, uint32_t p01, uint32_t p11, uint32_t wx,
                       uint32_t wy);
// One step of a float sample by the rule: p + (r-p)*(w/256), each operation rounded.
float StatedMix(float p, float r, uint32_t w);
using MixFunction = float (*)(float p, float r, uint32_t w);
// The cell by the rule, laid out like Blend's; `mix` lets a control put another arithmetic in.
std::vector<std::byte> Stated(const Scene& scene, MixFunction mix = StatedMix);

// "u8 x3 17x5 along x with avx2".
std::string Describe(const CellJob& job, InstructionSet set);

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_PROTO_BLEND_CELL_REFERENCE_H_
