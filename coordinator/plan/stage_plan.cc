#include "coordinator/plan/stage_plan.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

absl::Status CheckModel(const ModelGeometry& m) {
  const int64_t q = m.scale.q();
  if (m.alignment <= 0 || m.minimum <= 0 || m.default_tile <= 0 || m.halo < 0 ||
      m.default_overlap < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the model's alignment ", m.alignment, ", minimum ", m.minimum,
                     " and default tile ", m.default_tile, " must be positive, its halo ", m.halo,
                     " and default overlap ", m.default_overlap, " not negative"));
  }
  if (m.alignment > Axis::kMaxLength || m.minimum > Axis::kMaxLength) {
    return absl::InvalidArgumentError(absl::StrCat("the model's alignment ", m.alignment,
                                                   " and minimum ", m.minimum, " must be at most ",
                                                   Axis::kMaxLength));
  }
  if (m.alignment % q != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the model's alignment ", m.alignment, " is not a multiple of ", q,
                     ", the denominator of its scale ", m.scale.p(), "/", q));
  }
  if (m.minimum % m.alignment != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the model's minimum ", m.minimum, " is not a multiple of its alignment ", m.alignment));
  }
  return absl::OkStatus();
}

// The requested tile, rounded down to the model's alignment.
absl::StatusOr<int64_t> AlignedTile(const ModelGeometry& model, int64_t tile,
                                    std::vector<std::string>& notes) {
  if (tile <= 0) {
    return absl::InvalidArgumentError(absl::StrCat("tile ", tile, " must be positive"));
  }
  const int64_t aligned = tile / model.alignment * model.alignment;
  if (aligned < model.minimum) {
    const std::string rounded =
        aligned == tile
            ? ""
            : absl::StrCat(" (", aligned, " as a multiple of its alignment ", model.alignment, ")");
    return absl::InvalidArgumentError(absl::StrCat("tile ", tile, rounded,
                                                   " is below the model's minimum ", model.minimum,
                                                   ": the tile must be at least ", model.minimum));
  }
  if (aligned != tile) {
    notes.push_back(absl::StrCat("tile ", tile, " rounded down to ", aligned,
                                 ", a multiple of the model's alignment ", model.alignment));
  }
  return aligned;
}

int64_t StripeColumns(const Axis& x) {
  int64_t widest = 0;
  for (int64_t i = 0; i < x.tile_count(); ++i) {
    widest = std::max(widest, x.Contribution(i).length());
  }
  return std::clamp<int64_t>(StagePlan::kStripeWidthMax / widest, 1, x.tile_count());
}

const char* PadModeName(PadMode mode) {
  switch (mode) {
    case PadMode::kReflect:
      return "reflect";
    case PadMode::kReplicate:
      return "replicate";
    case PadMode::kZero:
      return "zero";
  }
  return "unknown";
}

}  // namespace

absl::StatusOr<Rect> ReachOf(const Rect& region, Size image, const Scale& scale) {
  // Each side alone, since their sum may not fit.
  const bool inside = !region.empty() && region.x >= 0 && region.y >= 0 && region.x < image.width &&
                      region.y < image.height && region.width <= image.width - region.x &&
                      region.height <= image.height - region.y;
  if (!inside) {
    return absl::InvalidArgumentError(
        absl::StrCat("the region ", ToString(region), " is not a part of the image, which has ",
                     ToString(image), " pixels: give x,y,width,height inside it"));
  }
  const auto reach = [&scale](Interval pixels) {
    return Interval{pixels.begin * scale.p() / scale.q(), scale.OutputLength(pixels.end)};
  };
  return Rect::FromIntervals(reach(region.horizontal()), reach(region.vertical()));
}

absl::StatusOr<StagePlan> StagePlan::Create(const ModelGeometry& model,
                                            const PlanRequest& request) {
  TW_RETURN_IF_ERROR(CheckModel(model));
  const Size image = request.image;
  if (image.width <= 0 || image.height <= 0) {
    return absl::InvalidArgumentError(absl::StrCat("the image is empty: ", ToString(image)));
  }
  if (std::max(image.width, image.height) > Axis::kMaxLength - model.alignment) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the image is too large: ", ToString(image), ", at most ",
                     Axis::kMaxLength - model.alignment, " a side"));
  }

  StagePlan plan;
  plan.model_ = model;
  plan.image_ = image;
  plan.window_ = request.window.value_or(model.default_window);
  plan.padded_ = {PaddedLength(image.width, model.minimum, model.alignment),
                  PaddedLength(image.height, model.minimum, model.alignment)};
  const Rect whole{0, 0, image.width, image.height};
  TW_ASSIGN_OR_RETURN(plan.part_, ReachOf(request.region.value_or(whole), image, model.scale));

  TW_ASSIGN_OR_RETURN(const int64_t tile,
                      AlignedTile(model, request.tile.value_or(model.default_tile), plan.notes_));
  plan.shape_ = {std::min(tile, plan.padded_.width), std::min(tile, plan.padded_.height)};
  const int64_t halo = request.halo.value_or(model.halo);
  const int64_t overlap = request.overlap.value_or(model.default_overlap);
  if (halo < 0 || overlap < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("halo ", halo, " and overlap ", overlap, " must not be negative"));
  }
  if (halo < model.halo) {
    plan.notes_.push_back(
        absl::StrCat("halo ", halo, " is smaller than the model's ", model.halo,
                     ": seams are possible, the result is not that of the whole image"));
  }

  AxisOptions options;
  options.halo = halo;
  options.overlap = overlap;
  options.alignment = model.alignment;
  options.scale = model.scale;
  const auto axis = [&options](int64_t size, int64_t length) {
    options.size = size;
    options.tile = length;
    return Axis::Create(options);
  };
  TW_ASSIGN_OR_RETURN(plan.x_, axis(plan.padded_.width, plan.shape_.width));
  TW_ASSIGN_OR_RETURN(plan.y_, axis(plan.padded_.height, plan.shape_.height));
  if (plan.tile_count() > kMaxTiles) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "an image of ", ToString(image), " in tiles of ", ToString(plan.shape_), " makes ",
        plan.tile_count(), " tiles, above ", kMaxTiles, ": use a larger tile"));
  }
  plan.stripe_columns_ = request.rows_in_order ? plan.x_->tile_count() : StripeColumns(*plan.x_);
  return plan;
}

GridPlace StagePlan::PlaceOf(TileIndex tile) const {
  assert(tile.value >= 0 && tile.value < tile_count());
  const int64_t stripe_tiles = stripe_columns_ * y_->tile_count();
  const int64_t first_column = tile.value / stripe_tiles * stripe_columns_;
  const int64_t columns = std::min(stripe_columns_, x_->tile_count() - first_column);
  const int64_t within = tile.value % stripe_tiles;
  return {first_column + within % columns, within / columns};
}

TileIndex StagePlan::IndexAt(GridPlace place) const {
  assert(place.column >= 0 && place.column < x_->tile_count());
  assert(place.row >= 0 && place.row < y_->tile_count());
  const int64_t first_column = place.column / stripe_columns_ * stripe_columns_;
  const int64_t columns = std::min(stripe_columns_, x_->tile_count() - first_column);
  return {first_column * y_->tile_count() + place.row * columns + place.column - first_column};
}

Rect StagePlan::InputRect(TileIndex tile) const {
  const GridPlace place = PlaceOf(tile);
  return Rect::FromIntervals(x_->Input(place.column), y_->Input(place.row));
}

Rect StagePlan::Contribution(TileIndex tile) const {
  const GridPlace place = PlaceOf(tile);
  const Rect whole =
      Rect::FromIntervals(x_->Contribution(place.column), y_->Contribution(place.row));
  return Intersect(whole, part_);
}

double StagePlan::HaloOverhead() const {
  return static_cast<double>(tile_count()) * static_cast<double>(shape_.area()) /
         static_cast<double>(padded_.area());
}

std::string StagePlan::Canonical() const {
  return absl::StrCat(
      "plan=2 image=", ToString(image_), " pad=", PadModeName(model_.pad_mode),
      " padded=", ToString(padded_), " tile=", ToString(shape_), " grid=", x_->tile_count(), "x",
      y_->tile_count(), " stripe=", stripe_columns_, " scale=", model_.scale.p(), "/",
      model_.scale.q(),
      " output=", part_.x == 0 && part_.y == 0 ? ToString(output()) : ToString(part_),
      " alignment=", model_.alignment, " halo=", halo(), " overlap=", overlap(),
      " window=", WindowName(window_));
}

}  // namespace tilewright
