// One stage of a job as numbers: grid, compute shape, contributions. Resolved once at submit and
// never changed. A StagePlan is immutable after creation, so thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_PLAN_STAGE_PLAN_H_
#define TILEWRIGHT_COORDINATOR_PLAN_STAGE_PLAN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/blend/sample.h"
#include "proto/blend/window.h"
#include "proto/geometry/axis.h"
#include "proto/geometry/rect.h"
#include "proto/geometry/scale.h"

namespace tilewright {

// Number of a tile in its stage, in the order in which tiles are wanted: vertical stripes from left
// to right, each row by row, so that what waits for its neighbours grows neither with the width nor
// with the height of the image.
struct TileIndex {
  int64_t value = 0;
  friend auto operator<=>(TileIndex, TileIndex) = default;
};

// Where a tile stands in its stage.
struct GridPlace {
  int64_t column = 0;
  int64_t row = 0;
  friend auto operator<=>(GridPlace, GridPlace) = default;
};

// How a stage's tiles become one image.
enum class MergeKind { kBlend, kCut };

// What a model asks of the geometry; from its manifest.
struct ModelGeometry {
  Scale scale;
  int64_t halo = 0;       // input pixels
  int64_t alignment = 1;  // a; a multiple of scale.q()
  int64_t minimum = 1;    // smallest side of a compute shape; a multiple of alignment
  PadMode pad_mode = PadMode::kReflect;
  int64_t default_tile = 512;
  int64_t default_overlap = 0;
  Window default_window = Window::kCosine;
};

// What the request says; unset values come from the model.
struct PlanRequest {
  Size image;  // pixels, before padding
  std::optional<int64_t> tile;
  std::optional<int64_t> halo;
  std::optional<int64_t> overlap;
  std::optional<Window> window;
  std::optional<Rect> region;  // of the image: what is rendered, if not all of it
  // Rows can only be read from top to bottom: all tiles are one stripe.
  bool rows_in_order = false;
};

// The output pixels that a region of an image of that size reaches. INVALID_ARGUMENT for one that
// is empty or no part of the image.
absl::StatusOr<Rect> ReachOf(const Rect& region, Size image, const Scale& scale);

class StagePlan {
 public:
  // Bound of the tiles of one stage.
  static constexpr int64_t kMaxTiles = int64_t{1} << 24;
  // Bound of a stripe's width in output pixels, unless one column alone is wider. A row of blocks
  // as wide is 12 MiB of RGB u8; of a stripe's pixels, one in sixteen waits for the next stripe.
  static constexpr int64_t kStripeWidthMax = 8192;

  // INVALID_ARGUMENT with a sentence that names the numbers: empty image, tile below the model's
  // minimum, overlap too big for the tile (with what would work), a quantity that is not the
  // multiple it must be. RESOURCE_EXHAUSTED beyond Axis::kMaxLength pixels a side or kMaxTiles
  // tiles.
  static absl::StatusOr<StagePlan> Create(const ModelGeometry& model, const PlanRequest& request);

  const ModelGeometry& model() const { return model_; }
  Size image() const { return image_; }          // input pixels
  Size padded() const { return padded_; }        // input pixels
  Size compute_shape() const { return shape_; }  // input pixels of every tile
  // What is rendered of the whole output, ceil(image * p / q): all of it, or what the request's
  // region becomes.
  const Rect& part() const { return part_; }
  Size output() const { return part_.size(); }
  int64_t halo() const { return x_->options().halo; }
  int64_t overlap() const { return x_->options().overlap; }
  Window window() const { return window_; }
  const Axis& x() const { return *x_; }
  const Axis& y() const { return *y_; }
  int64_t tile_count() const { return x_->tile_count() * y_->tile_count(); }
  // Columns of a stripe; the last stripe may have fewer.
  int64_t stripe_columns() const { return stripe_columns_; }
  GridPlace PlaceOf(TileIndex tile) const;
  // The inverse of PlaceOf.
  TileIndex IndexAt(GridPlace place) const;

  // The padded-input pixels of a tile; may reach beyond image(), into the padding.
  Rect InputRect(TileIndex tile) const;
  // The output pixels that the tile contributes, clipped to part(). Empty only where it reaches
  // none of it.
  Rect Contribution(TileIndex tile) const;
  // Pixels through the model / pixels of the padded image: 1.0 is no overhead.
  double HaloOverhead() const;
  // Things the user should know, e.g. "tile 100 rounded down to 96, a multiple of the model's
  // alignment 32".
  const std::vector<std::string>& notes() const { return notes_; }
  // Every number that decides pixels, one line, opened by the version of the planning rules; its
  // digest identifies the plan on the wire.
  std::string Canonical() const;

 private:
  StagePlan() = default;

  ModelGeometry model_;
  Size image_, padded_, shape_;
  Rect part_;
  Window window_ = Window::kCosine;
  std::optional<Axis> x_, y_;
  int64_t stripe_columns_ = 1;
  std::vector<std::string> notes_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_PLAN_STAGE_PLAN_H_
