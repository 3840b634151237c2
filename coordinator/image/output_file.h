// The output of a job on disk: a tiled BigTIFF written block by block in any order as
// `<output>.partial`, and published by rename; PNG, JPEG, WebP and Deep Zoom images, and TIFFs of
// another size, are exported from it by a child process. Not thread-safe; blocks are compressed and
// written by a pool of threads behind it.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_OUTPUT_FILE_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_OUTPUT_FILE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "coordinator/image/encoder_pool.h"
#include "coordinator/image/image_reader.h"
#include "coordinator/image/interrupt.h"
#include "coordinator/image/output_format.h"
#include "coordinator/image/output_state.h"
#include "coordinator/image/partial_claim.h"
#include "coordinator/merge/canvas.h"
#include "coordinator/merge/scratch.h"

namespace tilewright {

struct OutputOptions {
  std::string path;  // absolute
  CanvasFormat format;
  // Pixels as stored, of what is published, where the canvas is to be resampled for it.
  std::optional<Size> resampled;
  ImageMetadata metadata;
  TiffEncoding encoding;
  bool overviews = false;  // reduced images in the TIFF
  bool overwrite = false;
  EncoderPool* encoders = nullptr;  // outlives the output; null: the calling thread works
  // Of what waits to become reduced images; thread-safe, outlives the output. Null: a file of its
  // own without a name.
  Scratch* scratch = nullptr;
  // Program started as `<program> --export-child FROM TO WORDS...` for all but a TIFF as it is; the
  // coordinator itself.
  std::string export_program;
};

// Where KeepPartial leaves what there is of an output: "big.partial.tif" for "big.png".
std::string PartialPathOf(const std::string& path);

class OutputFile : public BlockSink {
 public:
  // Creates `<path>.partial` exclusively. ALREADY_EXISTS if the output (or, without overwrite, a
  // partial file) is there, PERMISSION_DENIED / NOT_FOUND / RESOURCE_EXHAUSTED for a folder that
  // cannot be written: each names the path and says what to do.
  static absl::StatusOr<std::unique_ptr<OutputFile>> Create(const OutputOptions& options);
  // The two steps of that: what there is to refuse, and the partial file; then the rest.
  static absl::Status Check(const OutputOptions& options);
  static absl::StatusOr<PartialClaim> Claim(const OutputOptions& options);
  static absl::StatusOr<std::unique_ptr<OutputFile>> Create(const OutputOptions& options,
                                                            PartialClaim partial);
  // Goes on where the output of a job that died was at its latest checkpoint: `partial` is what it
  // left, `options` are the same, `options.scratch` still has its slots. Reads back all that was
  // written. DATA_LOSS or INVALID_ARGUMENT if that is not what `state` says: then `partial` is
  // gone. What `interrupt` asks for: then it stays as it was. Else errors as of Create.
  static absl::StatusOr<std::unique_ptr<OutputFile>> Continue(const OutputOptions& options,
                                                              PartialClaim partial,
                                                              const OutputState& state,
                                                              const Interrupt* interrupt = nullptr);
  // Unless published or left: removes what it created.
  ~OutputFile() override;

  // Takes a copy, or makes the block on a thread of the pool. The first error of any block before:
  // then this one is not taken. A block that finds no room on the disk is kept in memory, and all
  // later ones until Retry is OK: who writes looks at stalled() before there are too many.
  absl::Status WriteBlock(int64_t column, int64_t row,
                          absl::Span<const std::byte> samples) override;
  absl::Status MakeBlock(int64_t column, int64_t row, int64_t bytes_max, BlockMaker make) override;
  // Not OK while blocks wait for room on the disk: RESOURCE_EXHAUSTED, in words.
  absl::Status stalled() const;
  // Writes the blocks that wait for room. OK if none waits any more.
  absl::Status Retry();
  // After the last block: closes, fsyncs, exports if the format asks for it, renames to `path`. May
  // take as long as the export does. While IsNoRoom is its error, it may be called again.
  absl::Status Publish();
  // Waits for the blocks taken; then how far it was written. Errors of any block before, and of the
  // scratch: those lose nothing. Precondition: Publish and BeginPartial were not called.
  absl::StatusOr<OutputState> Save();
  // Makes durable what Save spoke of. Other calls may be made meanwhile.
  absl::Status Sync() const;
  // The partial file stays, for another job to continue.
  void Leave();

  // Blocks made so far, by the job that it goes on from too, that lie in the file as they were
  // stored elsewhere.
  int64_t blocks_copied() const;
  // Of the pixels written. Precondition: Publish was OK.
  uint64_t pixel_hash() const;

  // Instead of Publish, or after it failed: leaves a TIFF at PartialPathOf(path) that holds what
  // was written; the rest reads as zero. A block that was taken and cannot be written is an error.
  // From BeginPartial on, blocks that are zero need not be written, and none waits for room.
  void BeginPartial();
  absl::Status KeepPartial();

 private:
  class Impl;
  explicit OutputFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Body of the export child, `arguments` being FROM TO WORDS... (export_request.h): writes TO from
// the TIFF FROM by libvips, turned upright unless it is a TIFF. Exit status for main: 0, or 1 after
// one sentence on stderr.
int RunExportChild(absl::Span<char* const> arguments);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_OUTPUT_FILE_H_
