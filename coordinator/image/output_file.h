// The output of a job on disk: a tiled BigTIFF written block by block in any order as
// `<output>.partial`, and published by rename; PNG, JPEG and WebP are exported from it by a child
// process. Not thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_OUTPUT_FILE_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_OUTPUT_FILE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/image/image_reader.h"
#include "coordinator/merge/canvas.h"

namespace tilewright {

enum class Compression { kNone, kDeflate, kZstd, kLzw };
// "none", "deflate", "zstd", "lzw"; INVALID_ARGUMENT lists them.
absl::StatusOr<Compression> ParseCompression(const std::string& name);

enum class OutputKind { kTiff, kPng, kJpeg, kWebp };
// By the path's extension (.tif .tiff .png .jpg .jpeg .webp); INVALID_ARGUMENT lists them.
absl::StatusOr<OutputKind> OutputKindOf(const std::string& path);
// INVALID_ARGUMENT where the format cannot hold the image: sides (JPEG 65,500, WebP 16,383, PNG
// 1,000,000 px), sample type (JPEG and WebP u8, PNG u8 and u16), channels (JPEG: no alpha).
absl::Status CheckOutputFormat(OutputKind kind, const CanvasFormat& format);

struct OutputOptions {
  std::string path;  // absolute
  CanvasFormat format;
  ImageMetadata metadata;
  Compression compression = Compression::kDeflate;
  bool overwrite = false;
  // Program started as `<program> --export-child KIND FROM TO` for PNG, JPEG and WebP; the
  // coordinator itself.
  std::string export_program;
};

class OutputFile : public BlockSink {
 public:
  // Creates `<path>.partial` exclusively. ALREADY_EXISTS if the output (or, without overwrite, a
  // partial file) is there, PERMISSION_DENIED / NOT_FOUND / RESOURCE_EXHAUSTED for a folder that
  // cannot be written: each names the path and says what to do.
  static absl::StatusOr<std::unique_ptr<OutputFile>> Create(const OutputOptions& options);
  // Unless published: removes what it created.
  ~OutputFile() override;

  // RESOURCE_EXHAUSTED if the disk is full.
  absl::Status WriteBlock(int64_t column, int64_t row,
                          absl::Span<const std::byte> samples) override;
  // After the last block: closes, fsyncs, exports if the format asks for it, renames to `path`. May
  // take as long as the export does.
  absl::Status Publish();

 private:
  class Impl;
  explicit OutputFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Body of the export child: writes `to` from the TIFF `from`, turned upright, by libvips. Exit
// status for main: 0, or 1 after one sentence on stderr.
int RunExportChild(const std::string& kind, const std::string& from, const std::string& to);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_OUTPUT_FILE_H_
