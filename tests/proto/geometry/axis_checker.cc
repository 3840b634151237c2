#include "tests/proto/geometry/axis_checker.h"

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

absl::Status Wrong(const Layout& layout, const std::string& what) {
  return absl::InternalError(absl::StrCat(what, " (", Describe(layout.options), ")"));
}

absl::Status CheckInputs(const Layout& layout) {
  const AxisOptions& o = layout.options;
  const int64_t count = static_cast<int64_t>(layout.inputs.size());
  const int64_t steps = (o.size - o.tile) / o.alignment;
  int64_t expected = 1;
  if (steps > 0) {
    // The least number of tiles whose steps are at most S.
    const int64_t stride = (o.tile - 2 * o.halo - o.overlap) / o.alignment;
    while ((expected - 1) * stride < steps) ++expected;
  }
  if (count != expected) return Wrong(layout, absl::StrCat(count, " tiles, not ", expected));
  for (int64_t i = 0; i < count; ++i) {
    const Interval input = layout.inputs[static_cast<size_t>(i)];
    if (input.length() != o.tile || input.begin < 0 || input.end > o.size) {
      return Wrong(layout, absl::StrCat("tile ", i, " has another shape or leaves the image"));
    }
    if (input.begin % o.alignment != 0) {
      return Wrong(layout, absl::StrCat("tile ", i, " is not aligned"));
    }
    if (i > 0 && input.begin <= layout.inputs[static_cast<size_t>(i - 1)].begin) {
      return Wrong(layout, absl::StrCat("tile ", i, " does not step on"));
    }
  }
  if (layout.inputs.front().begin != 0 || layout.inputs.back().end != o.size) {
    return Wrong(layout, "the tiles do not reach the borders");
  }
  return absl::OkStatus();
}

absl::Status CheckHalo(const Layout& layout) {
  const AxisOptions& o = layout.options;
  const int64_t p = o.scale.p(), q = o.scale.q();
  const size_t count = layout.inputs.size();
  for (size_t i = 0; i < count; ++i) {
    const int64_t begin = layout.inputs[i].begin + (i > 0 ? o.halo : 0);
    const int64_t end = layout.inputs[i].end - (i + 1 < count ? o.halo : 0);
    // begin * p / q ≤ contribution, without a division that could round a fault away.
    if (layout.contributions[i].begin * q < begin * p ||
        layout.contributions[i].end * q > end * p) {
      return Wrong(layout, absl::StrCat("tile ", i, " contributes less than the halo inside"));
    }
    if (i + 1 < count) {
      const int64_t both_begin = layout.inputs[i + 1].begin + o.halo;
      const int64_t twice_middle = both_begin + end;
      const int64_t twice_cut =
          (layout.contributions[i].end + layout.contributions[i + 1].begin) * q / p;
      if (twice_middle - twice_cut < 0 || twice_middle - twice_cut >= 2 * q) {
        return Wrong(layout, absl::StrCat("cut ", i, " is not in the middle"));
      }
    }
  }
  return absl::OkStatus();
}

struct Pixel {
  int contributors = 0;
  int64_t first_tile = -1;
  int64_t last_tile = -1;
  bool operator==(const Pixel&) const = default;
};

// Paints every contribution on the padded output: what each pixel got.
absl::StatusOr<std::vector<Pixel>> Paint(const Layout& layout) {
  const int64_t length = layout.options.size / layout.options.scale.q() * layout.options.scale.p();
  std::vector<Pixel> canvas(static_cast<size_t>(length));
  for (size_t i = 0; i < layout.contributions.size(); ++i) {
    const Interval part = layout.contributions[i];
    if (part.begin < 0 || part.end > length || part.empty()) {
      return Wrong(layout, absl::StrCat("tile ", i, " contributes nothing or off the canvas"));
    }
    for (int64_t x = part.begin; x < part.end; ++x) {
      Pixel& pixel = canvas[static_cast<size_t>(x)];
      if (pixel.contributors++ == 0) pixel.first_tile = static_cast<int64_t>(i);
      pixel.last_tile = static_cast<int64_t>(i);
    }
  }
  for (size_t x = 0; x < canvas.size(); ++x) {
    if (canvas[x].contributors == 0) return Wrong(layout, absl::StrCat("pixel ", x, " is lost"));
    if (canvas[x].contributors > 2 || canvas[x].last_tile > canvas[x].first_tile + 1) {
      return Wrong(layout, absl::StrCat("pixel ", x, " has a third contributor"));
    }
  }
  return canvas;
}

absl::Status CheckSpans(const Layout& layout) {
  TW_ASSIGN_OR_RETURN(const std::vector<Pixel> canvas, Paint(layout));
  const int64_t zone = layout.options.overlap / layout.options.scale.q() * layout.options.scale.p();
  std::vector<AxisSpan> painted;
  for (size_t begin = 0, end = 0; begin < canvas.size(); begin = end) {
    while (end < canvas.size() && canvas[end] == canvas[begin]) ++end;
    const Interval output = {static_cast<int64_t>(begin), static_cast<int64_t>(end)};
    const bool blended = canvas[begin].contributors == 2;
    if (blended && output.length() != zone) {
      return Wrong(layout, absl::StrCat("the blend zone at ", begin, " is ", output.length(),
                                        " wide, not ", zone));
    }
    painted.push_back({output, canvas[begin].first_tile, blended});
  }
  const size_t count = layout.inputs.size();
  if (painted.size() != (zone > 0 ? 2 * count - 1 : count)) {
    return Wrong(layout, absl::StrCat(painted.size(), " spans for ", count, " tiles"));
  }
  if (painted != layout.spans) return Wrong(layout, "the spans are not what was painted");
  return absl::OkStatus();
}

}  // namespace

Layout LayoutOf(const Axis& axis) {
  Layout layout = {axis.options(), {}, {}, axis.spans()};
  for (int64_t i = 0; i < axis.tile_count(); ++i) {
    layout.inputs.push_back(axis.Input(i));
    layout.contributions.push_back(axis.Contribution(i));
  }
  return layout;
}

std::string Describe(const AxisOptions& o) {
  return absl::StrCat("W=", o.size, " T=", o.tile, " H=", o.halo, " o=", o.overlap,
                      " a=", o.alignment, " scale=", o.scale.p(), "/", o.scale.q());
}

absl::Status CheckLayout(const Layout& layout) {
  if (layout.inputs.empty() || layout.inputs.size() != layout.contributions.size()) {
    return Wrong(layout, "tiles without contribution");
  }
  TW_RETURN_IF_ERROR(CheckInputs(layout));
  TW_RETURN_IF_ERROR(CheckHalo(layout));
  return CheckSpans(layout);
}

}  // namespace tilewright
