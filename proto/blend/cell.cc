#include "proto/blend/cell.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "proto/blend/row_kernels.h"

namespace tilewright {
namespace {

using blend_internal::KernelTable;
using blend_internal::Row;
using blend_internal::RowKernel;
using blend_internal::RowKernels;

// Samples of a row blended at once: their weights lie on the stack.
constexpr int64_t kStripSamples = 4096;

const KernelTable& TableOf(InstructionSet set) {
  switch (set) {
#ifdef TILEWRIGHT_X86_KERNELS
    case InstructionSet::kAvx512:
      return blend_internal::kAvx512Kernels;
    case InstructionSet::kAvx2:
      return blend_internal::kAvx2Kernels;
#endif
    default:
      return blend_internal::kBaselineKernels;
  }
}

void StandIn(CellSource& missing, const CellSource& other) {
  if (missing.data == nullptr) missing = other;
}

// Gives every position that the weights call for a tile: the other of its row, else of the other
// row.
CellJob FillHoles(CellJob job) {
  const bool x = !job.wx.empty(), y = !job.wy.empty();
  if (x) {
    StandIn(job.p00, job.p10);
    StandIn(job.p10, job.p00);
  }
  if (!y) return job;
  if (x) {
    StandIn(job.p01, job.p11);
    StandIn(job.p11, job.p01);
    StandIn(job.p10, job.p11);
    StandIn(job.p11, job.p10);
  }
  StandIn(job.p00, job.p01);
  StandIn(job.p01, job.p00);
  return job;
}

// Cells are narrower than what processors prefetch by themselves: a cell's rows lie a tile's row
// apart.
constexpr int64_t kRowsAhead = 2;
constexpr int64_t kCacheLine = 64;

void Prefetch(const std::byte* at, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += kCacheLine) __builtin_prefetch(at + i);
}

void CopyCell(const CellJob& job, int64_t row_bytes) {
  const std::byte* from = job.p00.data;
  std::byte* to = job.out;
  if (job.p00.row_bytes == row_bytes && job.out_row_bytes == row_bytes) {
    std::memcpy(to, from, static_cast<size_t>(row_bytes * job.size.height));
    return;
  }
  for (int64_t y = 0; y < job.size.height; ++y) {
    if (y + kRowsAhead < job.size.height) {
      Prefetch(from + kRowsAhead * job.p00.row_bytes, row_bytes);
    }
    std::memcpy(to, from, static_cast<size_t>(row_bytes));
    from += job.p00.row_bytes;
    to += job.out_row_bytes;
  }
}

const std::byte* At(const CellSource& source, int64_t y, int64_t offset) {
  return source.data + y * source.row_bytes + offset;
}

// The samples [begin, begin + row.samples) of every row; row.wx holds their weights.
void BlendStrip(const CellJob& job, RowKernel kernel, int64_t begin, Row row) {
  const int64_t offset = begin * BytesPerSample(job.type);
  const int64_t bytes = row.samples * BytesPerSample(job.type);
  const bool x = !job.wx.empty(), y = !job.wy.empty();
  for (int64_t line = 0; line < job.size.height; ++line) {
    if (const int64_t ahead = line + kRowsAhead; ahead < job.size.height) {
      Prefetch(At(job.p00, ahead, offset), bytes);
      if (x) Prefetch(At(job.p10, ahead, offset), bytes);
      if (y) Prefetch(At(job.p01, ahead, offset), bytes);
      if (x && y) Prefetch(At(job.p11, ahead, offset), bytes);
    }
    row.p00 = At(job.p00, line, offset);
    if (x) row.p10 = At(job.p10, line, offset);
    if (y) row.p01 = At(job.p01, line, offset);
    if (x && y) row.p11 = At(job.p11, line, offset);
    if (y) row.wy = job.wy[static_cast<size_t>(line)];
    row.out = job.out + line * job.out_row_bytes + offset;
    kernel(row);
  }
}

void RepeatWeights(const CellJob& job, int64_t begin, int64_t count, uint16_t* weights) {
  size_t column = static_cast<size_t>(begin / job.channels);
  int64_t channel = begin % job.channels;
  for (int64_t i = 0; i < count; ++i) {
    weights[i] = job.wx[column];
    if (++channel == job.channels) {
      channel = 0;
      ++column;
    }
  }
}

}  // namespace

std::vector<InstructionSet> SupportedInstructionSets() {
  std::vector<InstructionSet> sets = {InstructionSet::kBaseline};
#ifdef TILEWRIGHT_X86_KERNELS
  if (__builtin_cpu_supports("avx2")) sets.push_back(InstructionSet::kAvx2);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    sets.push_back(InstructionSet::kAvx512);
  }
#endif
  return sets;
}

const char* InstructionSetName(InstructionSet set) {
  switch (set) {
    case InstructionSet::kBaseline:
      return "baseline";
    case InstructionSet::kAvx2:
      return "avx2";
    case InstructionSet::kAvx512:
      return "avx512";
  }
  return "unknown";
}

void BlendCell(const CellJob& job) {
  static const InstructionSet best = SupportedInstructionSets().back();
  BlendCellWith(best, job);
}

void BlendCellWith(InstructionSet set, const CellJob& unfilled) {
  if (unfilled.size.area() == 0) return;
  const CellJob job = FillHoles(unfilled);
  const bool x = !job.wx.empty(), y = !job.wy.empty();
  assert(job.p00.data != nullptr && job.out != nullptr && job.channels > 0);
  assert(!x || static_cast<int64_t>(job.wx.size()) == job.size.width);
  assert(!y || static_cast<int64_t>(job.wy.size()) == job.size.height);

  const int64_t samples = job.size.width * job.channels;
  if (!x && !y) return CopyCell(job, samples * BytesPerSample(job.type));

  const RowKernels& kernels = TableOf(set).of_type[static_cast<size_t>(job.type)];
  Row row;
  if (!x) {
    row.samples = samples;
    return BlendStrip(job, kernels.y, 0, row);
  }
  alignas(64) uint16_t weights[kStripSamples];
  row.wx = weights;
  for (int64_t begin = 0; begin < samples; begin += kStripSamples) {
    row.samples = std::min(kStripSamples, samples - begin);
    RepeatWeights(job, begin, row.samples, weights);
    BlendStrip(job, y ? kernels.xy : kernels.x, begin, row);
  }
}

}  // namespace tilewright
