#include "coordinator/image/block_writer.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/image/file_error.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

bool AllZero(absl::Span<const std::byte> samples) {
  return std::all_of(samples.begin(), samples.end(),
                     [](std::byte value) { return value == std::byte{0}; });
}

}  // namespace

BlockWriter::BlockWriter(const CanvasFormat& format, int levels, TiffCanvas& canvas,
                         Pyramid& pyramid, EncoderPool* pool)
    : format_(format),
      levels_(levels),
      canvas_(canvas),
      pyramid_(pyramid),
      pool_(pool),
      hash_(format) {}

BlockWriter::~BlockWriter() {
  absl::MutexLock lock(&mu_);
  mu_.Await(absl::Condition(this, &BlockWriter::Idle));
}

absl::Status BlockWriter::Write(int64_t column, int64_t row, absl::Span<const std::byte> samples) {
  Pending pending;
  pending.block = {0, column, row, {samples.begin(), samples.end()}};
  return Take(static_cast<int64_t>(samples.size()), std::move(pending));
}

absl::Status BlockWriter::Make(int64_t column, int64_t row, int64_t bytes_max, BlockMaker make) {
  Pending pending;
  pending.block = {0, column, row, {}};
  pending.make = std::move(make);
  return Take(bytes_max, std::move(pending));
}

absl::Status BlockWriter::Take(int64_t bytes, Pending pending) {
  {
    absl::MutexLock lock(&mu_);
    TW_RETURN_IF_ERROR(leave_out_zero_ ? StatusLocked() : error_);
    if (!no_room_.ok()) {
      waiting_.push_back(std::move(pending));
      return absl::OkStatus();
    }
  }
  if (pool_ == nullptr) {
    Process(std::move(pending));
    absl::MutexLock lock(&mu_);
    return error_;
  }
  pool_->Reserve(bytes);
  auto task = std::make_shared<Pending>(std::move(pending));
  {
    absl::MutexLock lock(&mu_);
    ++running_;
  }
  pool_->Run(bytes, [this, task] {
    Process(std::move(*task));
    absl::MutexLock lock(&mu_);
    --running_;
  });
  return absl::OkStatus();
}

absl::Status BlockWriter::Fill(Pending* pending) const {
  LevelBlock& block = pending->block;
  absl::StatusOr<MadeBlock> made = std::exchange(pending->make, nullptr)();
  TW_RETURN_IF_ERROR(made.status());
  const int64_t bytes = format_.BlockRect(block.column, block.row).area() * format_.pixel_bytes();
  if (static_cast<int64_t>(made->samples.size()) != bytes) {
    return absl::InternalError(absl::StrCat("a block of ", bytes, " bytes was made with ",
                                            made->samples.size(), "; this is a bug"));
  }
  block.samples = std::move(made->samples);
  pending->stored = std::move(made->stored);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<LevelBlock>> BlockWriter::WriteOne(Pending* pending) {
  if (pending->make != nullptr) TW_RETURN_IF_ERROR(Fill(pending));
  const LevelBlock& block = pending->block;
  if (leave_out_zero_ && AllZero(block.samples)) pending->written = true;
  if (!pending->written) {
    if (block.level == 0) hash_.AddBlock(block.column, block.row, block.samples);
    if (pending->stored.has_value()) {
      const EncodedBlock encoded = {pending->stored->bytes, pending->stored->tile_bytes};
      TW_RETURN_IF_ERROR(canvas_.WriteEncoded(block.level, block.column, block.row, encoded));
      ++blocks_copied_;
    } else {
      TW_RETURN_IF_ERROR(canvas_.WriteBlock(block.level, block.column, block.row, block.samples));
    }
    pending->written = true;
  }
  if (block.level + 1 == levels_) return std::nullopt;
  return pyramid_.Add(block.level, block.column, block.row, block.samples);
}

void BlockWriter::Process(Pending pending) {
  while (true) {
    {
      absl::MutexLock lock(&mu_);
      if (!error_.ok()) return;  // the output is lost
    }
    absl::StatusOr<std::optional<LevelBlock>> next = WriteOne(&pending);
    if (!next.ok()) {
      absl::MutexLock lock(&mu_);
      if (!IsNoRoom(next.status())) {
        error_.Update(next.status());
        return;
      }
      no_room_.Update(next.status());
      waiting_.push_back(std::move(pending));
      return;
    }
    if (!next->has_value()) return;
    pending = {*std::move(*next), nullptr, std::nullopt, false};
  }
}

absl::Status BlockWriter::StatusLocked() const { return error_.ok() ? no_room_ : error_; }

absl::Status BlockWriter::Flush() {
  absl::MutexLock lock(&mu_);
  mu_.Await(absl::Condition(this, &BlockWriter::Idle));
  return StatusLocked();
}

absl::Status BlockWriter::stalled() const {
  absl::MutexLock lock(&mu_);
  return no_room_;
}

absl::Status BlockWriter::Retry() {
  std::vector<Pending> waiting;
  {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(this, &BlockWriter::Idle));
    waiting.swap(waiting_);
    no_room_ = absl::OkStatus();
    ++running_;
  }
  while (!waiting.empty()) {
    Pending pending = std::move(waiting.back());
    waiting.pop_back();
    Process(std::move(pending));
    absl::MutexLock lock(&mu_);
    if (StatusLocked().ok()) continue;
    for (Pending& rest : waiting) waiting_.push_back(std::move(rest));
    break;
  }
  absl::MutexLock lock(&mu_);
  --running_;
  return StatusLocked();
}

uint64_t BlockWriter::pixel_hash() const { return hash_.Finish(); }

}  // namespace tilewright
