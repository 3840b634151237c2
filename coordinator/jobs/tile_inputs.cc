#include "coordinator/jobs/tile_inputs.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/image/file_error.h"
#include "proto/base/status_macros.h"

namespace tilewright {

// Slots of one tile each in a file without a name.
class TileInputs::Scratch {
 public:
  Scratch(std::string folder, int64_t tile_bytes)
      : folder_(std::move(folder)), tile_bytes_(tile_bytes) {}
  ~Scratch() {
    if (fd_ >= 0) close(fd_);
  }

  bool Has(int64_t tile) const { return slots_.contains(tile); }
  int64_t size() const { return static_cast<int64_t>(slots_.size()); }

  absl::Status Put(int64_t tile, absl::Span<const std::byte> samples) {
    TW_RETURN_IF_ERROR(Open());
    int64_t slot = slot_count_;
    if (free_.empty()) {
      ++slot_count_;
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    slots_[tile] = slot;
    for (size_t done = 0; done < samples.size();) {
      const ssize_t n = pwrite(fd_, samples.data() + done, samples.size() - done, At(slot, done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return FileError("laying a tile's input aside in", folder_, errno);
      done += static_cast<size_t>(n);
    }
    return absl::OkStatus();
  }

  absl::Status Get(int64_t tile, absl::Span<std::byte> samples) const {
    const int64_t slot = slots_.at(tile);
    for (size_t done = 0; done < samples.size();) {
      const ssize_t n = pread(fd_, samples.data() + done, samples.size() - done, At(slot, done));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0)
        return FileError("reading a tile's input back from", folder_, n < 0 ? errno : EIO);
      done += static_cast<size_t>(n);
    }
    return absl::OkStatus();
  }

  void Remove(int64_t tile) {
    const auto found = slots_.find(tile);
    if (found == slots_.end()) return;
    free_.push_back(found->second);
    slots_.erase(found);
  }

 private:
  absl::Status Open() {
    if (fd_ >= 0) return absl::OkStatus();
    std::string name = absl::StrCat(folder_, "/tilewright-inputs-XXXXXX");
    fd_ = mkostemp(name.data(), O_CLOEXEC);
    if (fd_ < 0) return FileError("making a scratch file in", folder_, errno);
    unlink(name.c_str());
    return absl::OkStatus();
  }
  off_t At(int64_t slot, size_t done) const {
    return static_cast<off_t>(slot * tile_bytes_ + static_cast<int64_t>(done));
  }

  const std::string folder_;
  const int64_t tile_bytes_;
  int fd_ = -1;
  absl::flat_hash_map<int64_t, int64_t> slots_;  // by tile
  std::vector<int64_t> free_;
  int64_t slot_count_ = 0;  // Invariant: those of slots_ and free_.
};

TileInputs::TileInputs(const StagePlan& plan, ImageReader& reader, std::string scratch)
    : plan_(plan),
      reader_(reader),
      in_order_(reader.info().access != ImageAccess::kAnywhere),
      tile_bytes_(plan.compute_shape().area() * reader.info().pixel_bytes()),
      dropped_(in_order_ ? static_cast<size_t>(plan.tile_count()) : 0, false),
      scratch_(std::make_unique<Scratch>(std::move(scratch), tile_bytes_)) {}

TileInputs::~TileInputs() = default;

int64_t TileInputs::laid_aside() const {
  absl::MutexLock lock(&mu_);
  return scratch_->size();
}

void TileInputs::Drop(TileIndex tile) {
  if (!in_order_) return;
  absl::MutexLock lock(&mu_);
  dropped_[static_cast<size_t>(tile.value)] = true;
  scratch_->Remove(tile.value);
}

bool TileInputs::Pending(TileIndex tile) const {
  absl::MutexLock lock(&mu_);
  return !dropped_[static_cast<size_t>(tile.value)] && !scratch_->Has(tile.value);
}

absl::Status TileInputs::Read(TileIndex tile, absl::Span<std::byte> samples) {
  const PadMode pad = plan_.model().pad_mode;
  if (!in_order_) return reader_.Read(plan_.InputRect(tile), pad, samples);
  absl::MutexLock order(&order_mu_);
  if (Pending(tile)) {
    TW_RETURN_IF_ERROR(LeaveRowsAbove(plan_.PlaceOf(tile).row));
    return reader_.Read(plan_.InputRect(tile), pad, samples);
  }
  TW_RETURN_IF_ERROR(reader_.CheckUnchanged());
  absl::MutexLock lock(&mu_);
  if (scratch_->Has(tile.value)) return scratch_->Get(tile.value, samples);
  return absl::CancelledError(absl::StrCat("the input of tile ", tile.value, " was dropped"));
}

absl::Status TileInputs::LeaveRowsAbove(int64_t row) {
  std::vector<std::byte> samples;
  for (; first_row_ < row; ++first_row_) {
    for (int64_t column = 0; column < plan_.x().tile_count(); ++column) {
      const TileIndex tile = plan_.IndexAt({column, first_row_});
      if (!Pending(tile)) continue;
      samples.resize(static_cast<size_t>(tile_bytes_));
      TW_RETURN_IF_ERROR(
          reader_.Read(plan_.InputRect(tile), plan_.model().pad_mode, absl::MakeSpan(samples)));
      absl::MutexLock lock(&mu_);
      if (dropped_[static_cast<size_t>(tile.value)]) continue;  // meanwhile
      TW_RETURN_IF_ERROR(scratch_->Put(tile.value, samples));
    }
  }
  return absl::OkStatus();
}

}  // namespace tilewright
