// What output files are called, how their pixels are packed, and what their formats can hold. Pure;
// thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_OUTPUT_FORMAT_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_OUTPUT_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/merge/canvas.h"

namespace tilewright {

// kJpeg loses information; all others keep every bit.
enum class Compression { kNone, kDeflate, kZstd, kLzw, kJpeg };
// "none", "deflate", "zstd", "lzw", "jpeg"; INVALID_ARGUMENT lists them.
absl::StatusOr<Compression> ParseCompression(const std::string& name);
absl::string_view CompressionName(Compression compression);

// How the JPEG tiles of a TIFF are made, beside their quality.
struct JpegLayout {
  bool ycbcr = false;   // three channels are stored as luma and chroma, not as RGB
  int chroma_step = 1;  // pixels a side that share their chroma: 1, 2 or 4
  // What the file holds for all tiles (its JPEGTables); what is not there is in each tile. Empty:
  // nothing.
  std::vector<std::byte> tables;
  friend bool operator==(const JpegLayout&, const JpegLayout&) = default;
};

// How the pixels of a TIFF are packed.
struct TiffEncoding {
  Compression compression = Compression::kDeflate;
  int level = 1;            // kDeflate 1 … 12, kZstd 1 … 19
  int jpeg_quality = 95;    // kJpeg, 1 … 100; below 90 colour has half the resolution
  int64_t tile_side = 512;  // pixels: 128, 256 or 512, so that tiles divide a block
  bool predictor = true;    // where UsesPredictor allows one
  // kJpeg: as another file's, of this quality, whose tiles are to be taken as they are. nullopt: by
  // quality, with all tables in each tile.
  std::optional<JpegLayout> jpeg = std::nullopt;
};
// 512, or the greatest smaller tile_side with tiles of at most 16 MiB, which is what is read again.
int64_t UsualTileSide(const CanvasFormat& format);
// INVALID_ARGUMENT for numbers out of range, and for kJpeg where the samples are not 8 bit grey or
// RGB, or labels.
absl::Status CheckEncoding(const TiffEncoding& encoding, const CanvasFormat& format);
// For people: "deflate 1", "jpeg 95", "none".
std::string Describe(const TiffEncoding& encoding);
// Whether rows are stored as differences to the left, the TIFF predictor: it goes with integer
// samples and codecs that keep every bit, and makes them compress at hardly any cost.
bool UsesPredictor(const TiffEncoding& encoding, SampleType sample);

// kDzi and kSzi are Deep Zoom images: a pyramid of small tiles, JPEG where they hold 8 bit without
// alpha that are no labels, else PNG. A .dzi is a file and beside it a folder of tiles; a .szi is
// both in one archive.
// kNpy is a NumPy array of shape (height, width) or (height, width, channels).
enum class OutputKind { kTiff, kPng, kJpeg, kWebp, kDzi, kSzi, kNpy };
// By the path's extension (.tif .tiff .png .jpg .jpeg .webp .dzi .szi .npy); INVALID_ARGUMENT lists
// them.
absl::StatusOr<OutputKind> OutputKindOf(const std::string& path);
// The extension, without dot.
absl::string_view OutputKindName(OutputKind kind);
// INVALID_ARGUMENT where the format cannot hold the image: sides (JPEG 65,500, WebP 16,383, PNG
// 1,000,000 px), sample type (JPEG and WebP u8, PNG, DZI and SZI u8 and u16, .npy no f16), channels
// (JPEG: no alpha; arrays: TIFF and .npy alone), labels (neither JPEG nor WebP).
absl::Status CheckOutputFormat(OutputKind kind, const CanvasFormat& format);

// Images of a pyramid: the full one, and each half as wide and high as the one before (rounded up)
// until both sides fit a block.
int PyramidLevels(Size size);
// The format of a level; level 0 is the image itself.
CanvasFormat LevelFormat(const CanvasFormat& format, int level);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_OUTPUT_FORMAT_H_
