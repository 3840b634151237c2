// The blending kernel: one cell of 1, 2 or 4 contributing tiles. Every instruction-set variant
// gives the same bytes. Pure; thread-safe.
//
// u8 and u16: ((256-wy)*((256-wx)*p00 + wx*p10) + wy*((256-wx)*p01 + wx*p11) + 32768) >> 16 in
// uint32; a cell blended along one axis has the other weight 0. f32: x first, then y, each p +
// (r-p)*(w/256), never fused; f16 does that in f32 and rounds to nearest even. A cell with one
// contributor is copied.

#ifndef TILEWRIGHT_PROTO_BLEND_CELL_H_
#define TILEWRIGHT_PROTO_BLEND_CELL_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "proto/blend/sample.h"
#include "proto/geometry/rect.h"

namespace tilewright {

// The pixels of one tile under the cell: top-left sample, aligned for its type, and bytes from row
// to row, a multiple of the sample's. data null: no such contributor.
struct CellSource {
  const std::byte* data = nullptr;
  int64_t row_bytes = 0;
};

struct CellJob {
  SampleType type = SampleType::kU8;
  int channels = 1;
  Size size;  // output pixels
  // Weight of the right (lower) tile per column (row), in 1/256; empty where the cell has one
  // column (row) of tiles.
  absl::Span<const uint16_t> wx;
  absl::Span<const uint16_t> wy;
  // p10 lies to the right of p00, p01 below it. Only those that wx and wy call for are read. Where
  // a contributor is missing (a hole), the other tile of its row stands in, then the other row. At
  // least one must be there.
  CellSource p00, p10, p01, p11;
  // Aligned like the sources and overlapping none of them.
  std::byte* out = nullptr;
  int64_t out_row_bytes = 0;
};

enum class InstructionSet { kBaseline, kAvx2, kAvx512 };

// The variants this processor runs, kBaseline first.
std::vector<InstructionSet> SupportedInstructionSets();
const char* InstructionSetName(InstructionSet set);

// Writes the cell (nothing if it is empty); the best supported instruction set is chosen once.
void BlendCell(const CellJob& job);
// The same with a chosen variant, which must be supported; for tests and benchmarks.
void BlendCellWith(InstructionSet set, const CellJob& job);

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_BLEND_CELL_H_
