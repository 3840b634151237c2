#include "coordinator/image/pyramid.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/image/box_reduction.h"
#include "coordinator/image/file_error.h"
#include "coordinator/image/file_io.h"
#include "coordinator/image/output_format.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

constexpr int64_t kQuarterSide = kBlockSide / 2;

// Open for reading and writing, gone when it is closed.
absl::StatusOr<int> OpenNameless(const std::string& folder) {
  int fd = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) return fd;
  // Not every file system can do that.
  std::string name = absl::StrCat(folder, "/.tilewright-pyramid-XXXXXX");
  fd = mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0) return FileError("creating a file in", folder, errno);
  unlink(name.c_str());
  return fd;
}

}  // namespace

Pyramid::Pyramid(const PyramidOptions& options)
    : options_(options), slot_bytes_(kQuarterSide * kQuarterSide * options.format.pixel_bytes()) {}

Pyramid::~Pyramid() {
  if (fd_ >= 0) close(fd_);
}

int64_t Pyramid::bytes_held() const {
  absl::MutexLock lock(&mu_);
  return bytes_held_;
}

int64_t Pyramid::file_bytes() const {
  absl::MutexLock lock(&mu_);
  return slots_ * slot_bytes_;
}

Rect Pyramid::QuarterRect(const Key& key, size_t quarter) const {
  const auto& [level, column, row] = key;
  const Rect block = LevelFormat(options_.format, level).BlockRect(column, row);
  const auto x = static_cast<int64_t>(quarter % 2) * kQuarterSide;
  const auto y = static_cast<int64_t>(quarter / 2) * kQuarterSide;
  return Intersect({x, y, kQuarterSide, kQuarterSide}, {0, 0, block.width, block.height});
}

absl::Status Pyramid::Spill(Quarter* quarter) {
  int fd = -1;
  {
    absl::MutexLock lock(&mu_);
    if (fd_ < 0) {
      TW_ASSIGN_OR_RETURN(fd_, OpenNameless(options_.folder));
    }
    fd = fd_;
    if (free_slots_.empty()) free_slots_.push_back(slots_++);
    quarter->slot = free_slots_.back();
    free_slots_.pop_back();
  }
  const int error = WriteAll(fd, quarter->samples, quarter->slot * slot_bytes_);
  if (error == 0) {
    quarter->samples = {};
    return absl::OkStatus();
  }
  absl::MutexLock lock(&mu_);
  free_slots_.push_back(std::exchange(quarter->slot, -1));
  return FileError("writing reduced blocks in", options_.folder, error);
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
  BoxReduce(options_.format.sample, options_.format.channels, size, samples,
            absl::MakeSpan(quarter.samples));
  bool full = false;
  {
    absl::MutexLock lock(&mu_);
    full = bytes_held_ + static_cast<int64_t>(quarter.samples.size()) > options_.memory_bytes_max;
  }
  if (full) TW_RETURN_IF_ERROR(Spill(&quarter));

  Open whole;
  {
    absl::MutexLock lock(&mu_);
    const auto [found, created] = open_.try_emplace(key);
    Open& open = found->second;
    if (created) {
      for (size_t i = 0; i < 4; ++i) {
        if (!QuarterRect(key, i).empty()) ++open.missing;
      }
    }
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
    if (quarter.slot >= 0) {
      quarter.samples.resize(static_cast<size_t>(rect.area() * pixel));
      int fd = -1;
      {
        absl::MutexLock lock(&mu_);
        fd = fd_;
      }
      const int error = ReadAll(fd, absl::MakeSpan(quarter.samples), quarter.slot * slot_bytes_);
      if (error != 0) return FileError("reading reduced blocks in", options_.folder, error);
      absl::MutexLock lock(&mu_);
      free_slots_.push_back(quarter.slot);
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
