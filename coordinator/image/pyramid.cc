#include "coordinator/image/pyramid.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "coordinator/image/box_reduction.h"
#include "coordinator/image/output_format.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

constexpr int64_t kQuarterSide = kBlockSide / 2;

}  // namespace

int64_t Pyramid::bytes_held() const {
  absl::MutexLock lock(&mu_);
  return bytes_held_;
}

Rect Pyramid::QuarterRect(const Key& key, size_t quarter) const {
  const auto& [level, column, row] = key;
  const Rect block = LevelFormat(options_.format, level).BlockRect(column, row);
  const auto x = static_cast<int64_t>(quarter % 2) * kQuarterSide;
  const auto y = static_cast<int64_t>(quarter / 2) * kQuarterSide;
  return Intersect({x, y, kQuarterSide, kQuarterSide}, {0, 0, block.width, block.height});
}

Pyramid::Open Pyramid::Begin(const Key& key) const {
  Open open;
  for (size_t i = 0; i < 4; ++i) {
    if (!QuarterRect(key, i).empty()) ++open.missing;
  }
  return open;
}

absl::StatusOr<std::optional<LevelBlock>> Pyramid::Add(int level, int64_t column, int64_t row,
                                                       absl::Span<const std::byte> samples) {
  assert(level + 1 < options_.levels);
  const Size size = LevelFormat(options_.format, level).BlockRect(column, row).size();
  const Key key(level + 1, column / 2, row / 2);
  const auto index = static_cast<size_t>(2 * (row % 2) + column % 2);
  Quarter quarter;
  quarter.samples.resize(
      static_cast<size_t>(QuarterRect(key, index).area() * options_.format.pixel_bytes()));
  const CanvasFormat& format = options_.format;
  if (format.labels) {
    CornerReduce(format.pixel_bytes(), size, samples, absl::MakeSpan(quarter.samples));
  } else {
    BoxReduce(format.sample, format.channels, size, samples, absl::MakeSpan(quarter.samples));
  }
  bool full = false;
  {
    absl::MutexLock lock(&mu_);
    full = bytes_held_ + static_cast<int64_t>(quarter.samples.size()) > options_.memory_bytes_max;
  }
  if (full) {
    TW_ASSIGN_OR_RETURN(quarter.slot, options_.scratch->Put(quarter.samples));
    quarter.samples = {};
  }

  Open whole;
  {
    absl::MutexLock lock(&mu_);
    const auto found = open_.try_emplace(key, Begin(key)).first;
    Open& open = found->second;
    bytes_held_ += static_cast<int64_t>(quarter.samples.size());
    open.quarters[index] = std::move(quarter);
    if (--open.missing > 0) return std::nullopt;
    whole = std::move(open);
    open_.erase(found);
    for (const Quarter& part : whole.quarters) {
      bytes_held_ -= static_cast<int64_t>(part.samples.size());
    }
  }
  TW_ASSIGN_OR_RETURN(LevelBlock block, Assemble(key, std::move(whole)));
  return block;
}

absl::StatusOr<std::vector<SavedQuarter>> Pyramid::Save() {
  absl::MutexLock lock(&mu_);
  std::vector<SavedQuarter> saved;
  for (auto& [key, open] : open_) {
    for (size_t i = 0; i < 4; ++i) {
      Quarter& quarter = open.quarters[i];
      if (!quarter.there()) continue;
      if (!quarter.slot.has_value()) {
        TW_ASSIGN_OR_RETURN(quarter.slot, options_.scratch->Put(quarter.samples));
      }
      const auto& [level, column, row] = key;
      saved.push_back({level, column, row, static_cast<int>(i), *quarter.slot});
    }
  }
  return saved;
}

absl::Status Pyramid::Restore(const std::vector<SavedQuarter>& quarters) {
  absl::MutexLock lock(&mu_);
  assert(open_.empty());
  for (const SavedQuarter& saved : quarters) {
    const Key key(saved.level, saved.column, saved.row);
    const auto index = static_cast<size_t>(saved.quarter);
    bool fits = saved.level > 0 && saved.level < options_.levels && index < 4;
    if (fits) {
      const CanvasFormat format = LevelFormat(options_.format, saved.level);
      fits = saved.column >= 0 && saved.column < format.block_columns() && saved.row >= 0 &&
             saved.row < format.block_rows();
    }
    if (fits) {
      const Rect rect = QuarterRect(key, index);
      fits = !rect.empty() && saved.slot.bytes == rect.area() * options_.format.pixel_bytes();
    }
    Open* const open = fits ? &open_.try_emplace(key, Begin(key)).first->second : nullptr;
    if (open == nullptr || open->quarters[index].there() || open->missing == 1) {
      open_.clear();
      return absl::InvalidArgumentError("the reduced blocks are those of another picture");
    }
    open->quarters[index].slot = saved.slot;
    --open->missing;
  }
  return absl::OkStatus();
}

absl::StatusOr<LevelBlock> Pyramid::Assemble(const Key& key, Open open) {
  LevelBlock block;
  std::tie(block.level, block.column, block.row) = key;
  const Size size =
      LevelFormat(options_.format, block.level).BlockRect(block.column, block.row).size();
  const int64_t pixel = options_.format.pixel_bytes();
  block.samples.resize(static_cast<size_t>(size.area() * pixel));
  for (size_t i = 0; i < 4; ++i) {
    const Rect rect = QuarterRect(key, i);
    if (rect.empty()) continue;
    Quarter& quarter = open.quarters[i];
    if (quarter.samples.empty()) {
      quarter.samples.resize(static_cast<size_t>(rect.area() * pixel));
      TW_RETURN_IF_ERROR(options_.scratch->Take(*quarter.slot, absl::MakeSpan(quarter.samples)));
    } else if (quarter.slot.has_value()) {
      options_.scratch->Drop(*quarter.slot);
    }
    const auto row_bytes = static_cast<size_t>(rect.width * pixel);
    for (int64_t y = 0; y < rect.height; ++y) {
      std::memcpy(block.samples.data() + ((rect.y + y) * size.width + rect.x) * pixel,
                  quarter.samples.data() + static_cast<size_t>(y) * row_bytes, row_bytes);
    }
  }
  return block;
}

}  // namespace tilewright
