#include "coordinator/jobs/stage_tiles.h"

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "coordinator/jobs/wire_types.h"
#include "proto/base/status_macros.h"
#include "proto/wire/checksum.h"
#include "proto/wire/status_details.h"
#include "proto/wire/tile_types.h"

namespace tilewright {
namespace {

absl::Status WrongShape(std::string text) {
  return WithReason(absl::InvalidArgumentError(std::move(text)), "SHAPE_MISMATCH");
}

}  // namespace

StageTiles::StageTiles(const ResolvedStage& stage, std::shared_ptr<JobRecord> record,
                       std::string scratch, std::function<Instant()> now)
    : stage_(stage),
      record_(std::move(record)),
      scratch_(std::move(scratch)),
      now_(std::move(now)) {
  v1::TileIdentity* tile = input_header_.mutable_tile();
  tile->set_job(stage_.stage.job());
  tile->set_generation(stage_.stage.generation());
  tile->set_stage(stage_.stage.stage());
  input_header_.set_plan_digest(stage_.stage.plan_digest());
  input_header_.set_model_digest(stage_.stage.model_digest());
  const v1::TensorManifest& manifest = stage_.model->model.manifest().inputs(0);
  v1::Tensor* tensor = input_header_.add_tensors();
  tensor->set_name(manifest.name());
  tensor->set_dtype(stage_.stage.input_sample());
  tensor->set_channels(stage_.stage.input_channels());
  if (manifest.has_range()) {
    *tensor->mutable_range() = manifest.range();
  } else {
    tensor->mutable_range()->set_hi(1.0f);
  }
}

absl::StatusOr<OutgoingTile> StageTiles::Read(TileSource& source, int64_t tile,
                                              LeaseKey lease) const {
  const TileIndex at = stage_.wanted->at(tile);
  const Rect rect = stage_.plan->InputRect(at);
  auto samples = std::make_shared<std::vector<std::byte>>(static_cast<size_t>(
      rect.area() * stage_.tile_channels() * BytesPerSample(stage_.input.sample)));
  TW_RETURN_IF_ERROR(Annotate(source.Read(at, absl::MakeSpan(*samples)),
                              absl::StrCat("reading the input of tile ", tile)));
  if (source.memory_bytes() > 0 && !told_of_inputs_.exchange(true)) {
    record_->AddEvent({stage_.stage.job(), "inputs_in_memory", tile, "",
                       absl::StrCat("The scratch folder ", scratch_,
                                    " has no room: inputs that may be needed again stay in "
                                    "memory until their tiles are merged.")},
                      now_());
  }

  OutgoingTile outgoing;
  outgoing.header = input_header_;
  outgoing.header.mutable_tile()->set_index(static_cast<uint64_t>(tile));
  SetWire(lease, outgoing.header.mutable_lease());
  v1::Tensor* tensor = outgoing.header.mutable_tensors(0);
  SetWire(rect, tensor->mutable_rect());
  tensor->mutable_inline_()->set_bytes(samples->size());
  SetWire(stage_.plan->Contribution(at), outgoing.header.mutable_contribution());
  outgoing.header.set_payload_bytes(samples->size());
  outgoing.header.set_checksum(Checksum(*samples));
  outgoing.payload = std::move(samples);
  return outgoing;
}

absl::Status StageTiles::CheckResult(const v1::TileHeader& header, int64_t payload_bytes) const {
  const uint64_t index = header.tile().index();
  if (index >= static_cast<uint64_t>(stage_.wanted->count())) {
    return WithReason(absl::InvalidArgumentError(absl::StrCat(
                          "tile ", index, " does not exist: the job has ", stage_.wanted->count())),
                      "UNKNOWN_TILE");
  }
  if (header.tensors_size() != 1) {
    return WrongShape(absl::StrCat("the result has ", header.tensors_size(),
                                   " tensors where the stage gives one"));
  }
  const v1::Tensor& tensor = header.tensors(0);
  const Rect wanted = stage_.plan->Contribution(stage_.wanted->at(static_cast<int64_t>(index)));
  const Rect rect = FromWire(tensor.rect());
  if (!(rect == wanted)) {
    return WrongShape(absl::StrCat("the result covers ", ToString(rect), ", the tile contributes ",
                                   ToString(wanted)));
  }
  if (tensor.dtype() != stage_.stage.output_sample() ||
      tensor.channels() != stage_.stage.output_channels()) {
    return WrongShape(absl::StrCat("the result has ", tensor.channels(), " channels of type ",
                                   v1::SampleType_Name(tensor.dtype()), ", the stage gives ",
                                   stage_.stage.output_channels(), " of type ",
                                   v1::SampleType_Name(stage_.stage.output_sample())));
  }
  const int64_t bytes = wanted.area() * stage_.format.pixel_bytes();
  if (payload_bytes != bytes) {
    return WrongShape(
        absl::StrCat("the result holds ", payload_bytes, " bytes, its pixels need ", bytes));
  }
  return absl::OkStatus();
}

}  // namespace tilewright
