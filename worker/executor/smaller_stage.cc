#include "worker/executor/smaller_stage.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

// Of a run made of several.
void Add(const RunNotes& notes, RunNotes* sum) {
  sum->device_seconds += notes.device_seconds;
  if (!notes.without_graph.empty()) sum->without_graph = notes.without_graph;
}

int64_t RoundUp(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

class BatchedStage : public Stage {
 public:
  BatchedStage(StageKey key, int batch, std::unique_ptr<Stage> smaller)
      : key_(std::move(key)), batch_(static_cast<size_t>(batch)), smaller_(std::move(smaller)) {}

  absl::StatusOr<std::vector<NetworkTile>> Run(absl::Span<const NetworkTile> inputs) override {
    TW_RETURN_IF_ERROR(CheckInputs(key_, inputs));
    notes_ = {};
    std::vector<NetworkTile> outputs;
    for (size_t i = 0; i < inputs.size(); i += batch_) {
      TW_ASSIGN_OR_RETURN(std::vector<NetworkTile> some, smaller_->Run(inputs.subspan(i, batch_)));
      Add(smaller_->Notes(), &notes_);
      std::move(some.begin(), some.end(), std::back_inserter(outputs));
    }
    return outputs;
  }
  RunNotes Notes() const override { return notes_; }
  uint64_t MemoryEstimate() const override { return smaller_->MemoryEstimate(); }
  uint64_t StateBytes() const override { return smaller_->StateBytes(); }

 private:
  const StageKey key_;
  const size_t batch_;
  const std::unique_ptr<Stage> smaller_;
  RunNotes notes_;
};

absl::StatusOr<Axis> PlanAxis(int64_t tile, int parts, const SubTileRules& rules) {
  AxisOptions options;
  options.size = tile;
  options.halo = RoundUp(rules.halo, rules.scale.q());
  options.alignment = rules.alignment;
  options.scale = rules.scale;
  // n sub-tiles of side t share n - 1 times both halos: t * n - 2 * halo * (n - 1) = tile.
  const int64_t side = (tile + 2 * options.halo * (parts - 1) + parts - 1) / parts;
  options.tile = std::min(tile, RoundUp(std::max(side, rules.minimum), rules.alignment));
  return Axis::Create(options);
}

class SubTiledStage : public Stage {
 public:
  SubTiledStage(StageKey key, SubTiling tiling, std::unique_ptr<Stage> smaller)
      : key_(std::move(key)), tiling_(std::move(tiling)), smaller_(std::move(smaller)) {}

  absl::StatusOr<std::vector<NetworkTile>> Run(absl::Span<const NetworkTile> inputs) override {
    TW_RETURN_IF_ERROR(CheckInputs(key_, inputs));
    notes_ = {};
    std::vector<NetworkTile> outputs;
    for (const NetworkTile& input : inputs) {
      TW_ASSIGN_OR_RETURN(NetworkTile output, RunTile(input));
      outputs.push_back(std::move(output));
    }
    return outputs;
  }
  RunNotes Notes() const override { return notes_; }
  uint64_t MemoryEstimate() const override { return smaller_->MemoryEstimate(); }
  uint64_t StateBytes() const override { return smaller_->StateBytes(); }

 private:
  absl::StatusOr<NetworkTile> RunTile(const NetworkTile& input) {
    const Scale& scale = tiling_.columns.options().scale;
    NetworkTile whole;
    whole.index = input.index;
    whole.size = {scale.Exact(input.size.width), scale.Exact(input.size.height)};
    for (int64_t row = 0; row < tiling_.rows.tile_count(); ++row) {
      for (int64_t column = 0; column < tiling_.columns.tile_count(); ++column) {
        const NetworkTile part = Cut(input, column, row);
        TW_ASSIGN_OR_RETURN(const std::vector<NetworkTile> outputs,
                            smaller_->Run(absl::MakeConstSpan(&part, 1)));
        Add(smaller_->Notes(), &notes_);
        TW_RETURN_IF_ERROR(CheckPart(outputs));
        if (whole.values.empty()) {
          whole.channels = outputs[0].channels;
          whole.values.resize(static_cast<size_t>(whole.size.area() * whole.channels));
        }
        if (outputs[0].channels != whole.channels) return WrongPart(outputs);
        Paste(outputs[0], column, row, &whole);
      }
    }
    return whole;
  }

  NetworkTile Cut(const NetworkTile& input, int64_t column, int64_t row) const {
    const Interval x = tiling_.columns.Input(column);
    const Interval y = tiling_.rows.Input(row);
    NetworkTile part{input.index, tiling_.shape(), input.channels, {}};
    const int64_t length = part.size.width * input.channels;
    part.values.reserve(static_cast<size_t>(length * part.size.height));
    for (int64_t line = y.begin; line < y.end; ++line) {
      const float* from =
          input.values.data() + (line * input.size.width + x.begin) * input.channels;
      part.values.insert(part.values.end(), from, from + length);
    }
    return part;
  }

  // What the part contributes goes to its place.
  void Paste(const NetworkTile& part, int64_t column, int64_t row, NetworkTile* whole) const {
    const Scale& scale = tiling_.columns.options().scale;
    const Interval x = tiling_.columns.Contribution(column);
    const Interval y = tiling_.rows.Contribution(row);
    const int64_t left = scale.Exact(tiling_.columns.Input(column).begin);
    const int64_t top = scale.Exact(tiling_.rows.Input(row).begin);
    const int64_t length = (x.end - x.begin) * whole->channels;
    for (int64_t line = y.begin; line < y.end; ++line) {
      std::copy_n(
          part.values.data() + ((line - top) * part.size.width + x.begin - left) * whole->channels,
          length, whole->values.data() + (line * whole->size.width + x.begin) * whole->channels);
    }
  }

  absl::Status CheckPart(const std::vector<NetworkTile>& outputs) const {
    const Scale& scale = tiling_.columns.options().scale;
    const Size size{scale.Exact(tiling_.shape().width), scale.Exact(tiling_.shape().height)};
    if (outputs.size() == 1 && outputs[0].size == size && outputs[0].channels > 0 &&
        outputs[0].values.size() == static_cast<size_t>(size.area() * outputs[0].channels)) {
      return absl::OkStatus();
    }
    return WrongPart(outputs);
  }

  absl::Status WrongPart(const std::vector<NetworkTile>& outputs) const {
    return EngineError(
        v1::FAILURE_CAUSE_BAD_RESULT,
        absl::StrCat("the engine gave ", outputs.size(),
                     " results of another shape for a sub-tile of ", ToString(tiling_.shape())));
  }

  const StageKey key_;
  const SubTiling tiling_;
  const std::unique_ptr<Stage> smaller_;
  RunNotes notes_;
};

}  // namespace

std::unique_ptr<Stage> InSmallerBatches(StageKey key, int batch, std::unique_ptr<Stage> smaller) {
  return std::make_unique<BatchedStage>(std::move(key), batch, std::move(smaller));
}

absl::StatusOr<SubTiling> PlanSubTiles(Size tile, int parts, const SubTileRules& rules) {
  const absl::StatusOr<Axis> columns = PlanAxis(tile.width, parts, rules);
  const absl::StatusOr<Axis> rows = PlanAxis(tile.height, parts, rules);
  for (const auto* axis : {&columns, &rows}) {
    if (axis->ok()) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("a tile of ", ToString(tile), " cannot be cut into ", parts,
                     " sub-tiles a side: ", axis->status().message()));
  }
  SubTiling tiling{*columns, *rows};
  if (tiling.shape() == tile) {
    return absl::FailedPreconditionError(absl::StrCat(
        "a tile of ", ToString(tile), " cannot be cut: its sub-tiles would be at least ",
        rules.minimum, " a side with a halo of ", rules.halo, " on both sides"));
  }
  return tiling;
}

std::unique_ptr<Stage> InSubTiles(StageKey key, SubTiling tiling, std::unique_ptr<Stage> smaller) {
  return std::make_unique<SubTiledStage>(std::move(key), std::move(tiling), std::move(smaller));
}

}  // namespace tilewright
