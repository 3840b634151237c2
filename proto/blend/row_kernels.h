// One row of a cell: the inner loops of blending, one table of them for each instruction set; for
// this folder's .cc files only. Pure; thread-safe.

#ifndef TILEWRIGHT_PROTO_BLEND_ROW_KERNELS_H_
#define TILEWRIGHT_PROTO_BLEND_ROW_KERNELS_H_

#include <cstddef>
#include <cstdint>

namespace tilewright::blend_internal {

// `samples` neighbouring samples of each contributor. None of them overlaps `out`.
struct Row {
  const std::byte* p00 = nullptr;
  const std::byte* p10 = nullptr;  // to the right of p00
  const std::byte* p01 = nullptr;  // below p00
  const std::byte* p11 = nullptr;
  const uint16_t* wx = nullptr;  // of the right tile, for each sample, in 1/256
  uint32_t wy = 0;               // of the lower tile, in 1/256
  std::byte* out = nullptr;
  int64_t samples = 0;
};

using RowKernel = void (*)(const Row& row);

// x blends p00 and p10 by wx, y blends p00 and p01 by wy, xy all four.
struct RowKernels {
  RowKernel x, y, xy;
};

// Of one instruction set, for each SampleType in its order.
struct KernelTable {
  RowKernels of_type[4];
};

extern const KernelTable kBaselineKernels;
extern const KernelTable kAvx2Kernels;    // x86-64 only
extern const KernelTable kAvx512Kernels;  // x86-64 only

}  // namespace tilewright::blend_internal

#endif  // TILEWRIGHT_PROTO_BLEND_ROW_KERNELS_H_
