// The blending kernel: one cell of 1, 2 or 4 contributing tiles (DESIGN 4). Every instruction-set variant gives the
// same bytes. Pure; thread-safe.

#ifndef TILEWRIGHT_PROTO_BLEND_CELL_H_
#define TILEWRIGHT_PROTO_BLEND_CELL_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "proto/blend/sample.h"
#include "proto/geometry/rect.h"

namespace tilewright {

// The pixels of one tile under the cell: top-left sample and bytes from row to row. data null: no such contributor.
struct CellSource {
  const std::byte* data = nullptr;
  int64_t row_bytes = 0;
};

struct CellJob {
  SampleType type = SampleType::kU8;
  int channels = 1;
  Size size;  // output pixels
  // Weight of the right (lower) tile per column (row), in 1/256; empty where the cell has one column (row) of tiles.
  absl::Span<const uint16_t> wx;
  absl::Span<const uint16_t> wy;
  // p10 lies to the right of p00, p01 below it. Only those that wx and wy call for are read. Where a contributor is
  // missing (a hole), the other tile of its row stands in, then the other row. At least one must be there.
  CellSource p00, p10, p01, p11;
  std::byte* out = nullptr;
  int64_t out_row_bytes = 0;
};

enum class InstructionSet { kBaseline, kAvx2, kAvx512 };

// The variants this processor runs, kBaseline first.
std::vector<InstructionSet> SupportedInstructionSets();
const char* InstructionSetName(InstructionSet set);

// Writes the cell; the best supported instruction set is chosen once.
void BlendCell(const CellJob& job);
// The same with a chosen variant, which must be supported; for tests and benchmarks.
void BlendCellWith(InstructionSet set, const CellJob& job);

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_BLEND_CELL_H_
