#include "worker/link/tile_check.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/wire/tile_types.h"
#include "worker/link/lease_book.h"

namespace tilewright {
namespace {

absl::Status Unfit(uint64_t index, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("the input of tile ", index, " ", what));
}

}  // namespace

absl::StatusOr<TileTask> CheckInput(const LeaseTerms& terms, IncomingTile input) {
  const v1::StageSpec& stage = terms.stage;
  const v1::TileHeader& header = input.header;
  const uint64_t index = header.tile().index();
  if (!input.intact) {
    return absl::DataLossError(
        absl::StrCat("the input of tile ", index, " was damaged on the way: wrong checksum"));
  }
  if (header.tile().job() != stage.job() || header.tile().generation() != stage.generation() ||
      (!header.plan_digest().empty() && header.plan_digest() != stage.plan_digest())) {
    return Unfit(index, "is of another job, generation or plan than its lease");
  }
  if (header.tensors_size() != 1 || !header.tensors(0).has_inline_()) {
    return Unfit(index, "must be one inline tensor");
  }
  const v1::Tensor& tensor = header.tensors(0);
  const Rect rect = FromWire(tensor.rect());
  if (tensor.dtype() != stage.input_sample() || tensor.channels() != stage.input_channels() ||
      rect.width != stage.tile_width() || rect.height != stage.tile_height()) {
    return Unfit(index, "has another size, sample type or channels than its stage");
  }
  const int64_t bytes = rect.area() * tensor.channels() * SampleBytes(tensor.dtype());
  if (static_cast<int64_t>(input.payload.size()) != bytes) {
    return Unfit(index, absl::StrCat("has ", input.payload.size(), " bytes instead of ", bytes));
  }
  TileTask task;
  task.index = index;
  task.input = rect;
  task.contribution = FromWire(header.contribution());
  task.samples = std::move(input.payload);
  task.lease = absl::StrCat(terms.lease.epoch, "/", terms.lease.sequence);
  return task;
}

}  // namespace tilewright
