// Resizing of the alpha plane beside a model that knows only colour: integers only, so that it is
// the same on every machine and a tile gives the bits of the whole image. Pure; thread-safe.
//
// Scale p / q ≥ 1: bilinear between pixel centres. Output x has n = (2x+1)q - p, i = floor(n / 2p),
// f = n - 2p*i; input i weighs 2p - f and input i + 1 weighs f, in both axes, rounded once: (sum +
// 2p²) / (4p²). Scale 1 copies. Below 1: the mean of the q/p × q/p input pixels under the output
// pixel, parts of pixels by their share: (sum + floor(q²/2)) / q². Positions beyond the image (not
// the padded image) take its border's sample.

#ifndef TILEWRIGHT_PROTO_BLEND_ALPHA_H_
#define TILEWRIGHT_PROTO_BLEND_ALPHA_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "proto/blend/sample.h"
#include "proto/geometry/rect.h"
#include "proto/geometry/scale.h"

namespace tilewright {

// Samples of a part of the input: interleaved, no padding between rows.
struct AlphaTile {
  const std::byte* samples = nullptr;
  SampleType type = SampleType::kU8;  // u8 or u16
  int channels = 1;
  int alpha_channel = 0;  // the alpha sample's position within a pixel
  Rect input;             // where the samples lie in the padded input, in pixels
  Size image;             // the whole image before padding, in pixels
};

// Writes the alpha samples of `output` (output pixels), row after row, one sample a pixel, to
// `alpha`. INVALID_ARGUMENT for another sample type, or if `output` needs an input pixel that the
// tile lacks: at a scale above 1 a tile's halo must be at least 1.
absl::Status ResizeAlpha(const AlphaTile& tile, Scale scale, const Rect& output, std::byte* alpha);

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_BLEND_ALPHA_H_
