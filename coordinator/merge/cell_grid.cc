#include "coordinator/merge/cell_grid.h"

#include <algorithm>
#include <cassert>

namespace tilewright {
namespace {

// One span a tile: each blend zone is divided at its centre.
std::vector<AxisSpan> DivideAtCuts(const std::vector<AxisSpan>& spans) {
  std::vector<AxisSpan> divided;
  int64_t begin = 0;
  for (const AxisSpan& span : spans) {
    if (!span.blended) {
      divided.push_back({{begin, span.output.end}, span.first_tile, false});
      begin = span.output.end;
    } else {
      begin = span.output.begin + span.output.length() / 2;
      divided.back().output.end = begin;
    }
  }
  return divided;
}

}  // namespace

CellAxis::CellAxis(const Axis& axis, Interval kept, MergeKind merge, Window window)
    : tiles_(static_cast<size_t>(axis.tile_count())) {
  const std::vector<AxisSpan> spans =
      merge == MergeKind::kCut ? DivideAtCuts(axis.spans()) : axis.spans();
  for (AxisSpan span : spans) {
    if (span.blended && weights_.empty()) weights_ = WindowWeights(window, span.output.length());
    assert(!span.blended || static_cast<int64_t>(weights_.size()) == span.output.length());
    const int64_t begin = span.output.begin;
    span.output = Intersect(span.output, kept);
    if (span.output.empty()) continue;
    if (spans_.empty()) first_weight_ = span.output.begin - begin;
    span.output = {span.output.begin - kept.begin, span.output.end - kept.begin};
    const auto cell = static_cast<int64_t>(spans_.size());
    spans_.push_back(span);
    for (int64_t i = span.first_tile; i <= span.first_tile + (span.blended ? 1 : 0); ++i) {
      Interval& cells = tiles_.at(static_cast<size_t>(i));
      if (cells.empty()) cells.begin = cell;
      cells.end = cell + 1;
    }
  }
}

Interval CellAxis::CellsUnder(Interval part) const {
  const auto ends_by = [](const AxisSpan& span, int64_t at) { return span.output.end <= at; };
  const auto first = std::lower_bound(spans_.begin(), spans_.end(), part.begin, ends_by);
  const auto last = std::lower_bound(spans_.begin(), spans_.end(), part.end - 1, ends_by);
  assert(last != spans_.end());
  return {first - spans_.begin(), last - spans_.begin() + 1};
}

Interval CellAxis::TilesUnder(Interval part) const {
  const Interval cells = CellsUnder(part);
  const AxisSpan& last = span(cells.end - 1);
  return {span(cells.begin).first_tile, last.first_tile + (last.blended ? 2 : 1)};
}

absl::Span<const uint16_t> CellAxis::Weights(int64_t cell, Interval part) const {
  const AxisSpan& owner = span(cell);
  assert(owner.output.Contains(part));
  if (!owner.blended) return {};
  const int64_t first = part.begin - owner.output.begin + (cell == 0 ? first_weight_ : 0);
  return absl::MakeConstSpan(weights_).subspan(static_cast<size_t>(first),
                                               static_cast<size_t>(part.length()));
}

}  // namespace tilewright
