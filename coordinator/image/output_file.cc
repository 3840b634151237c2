#include "coordinator/image/output_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "coordinator/image/block_writer.h"
#include "coordinator/image/deep_zoom.h"
#include "coordinator/image/durable_move.h"
#include "coordinator/image/export_process.h"
#include "coordinator/image/file_error.h"
#include "coordinator/image/pyramid.h"
#include "coordinator/image/scratch_file.h"
#include "coordinator/image/tiff_canvas.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

// An export is given a minute and a second for this many pixels, a tenth of the slowest encoder's
// measured speed.
constexpr int64_t kExportPixelsPerSecondMin = 500'000;

}  // namespace

std::string PartialPathOf(const std::string& path) {
  const size_t dot = path.rfind('.');
  const bool extension = dot != std::string::npos && path.find('/', dot) == std::string::npos;
  return absl::StrCat(extension ? path.substr(0, dot) : path, ".partial.tif");
}

class OutputFile::Impl {
 public:
  Impl(const OutputOptions& options, OutputKind kind, PartialClaim partial)
      : options_(options),
        kind_(kind),
        levels_(options.overviews && !exports() ? PyramidLevels(options.format.size) : 1),
        export_(absl::StrCat(options.path, ".export")),
        folder_(FolderOf(options.path)),
        partial_(std::move(partial)),
        own_scratch_(folder_),
        written_(static_cast<size_t>(options.format.block_columns() * options.format.block_rows())),
        blocks_left_(static_cast<int64_t>(written_.size())) {}

  ~Impl() {
    writer_.reset();
    canvas_.reset();
  }

  absl::Status Start() {
    TW_ASSIGN_OR_RETURN(canvas_, TiffCanvas::Create(partial_.fd(), partial_.path(),
                                                    {options_.format, options_.metadata,
                                                     options_.encoding, levels_}));
    Scratch* const scratch = options_.scratch != nullptr ? options_.scratch : &own_scratch_;
    pyramid_ = std::make_unique<Pyramid>(PyramidOptions{options_.format, levels_, scratch});
    writer_ = std::make_unique<BlockWriter>(options_.format, levels_, *canvas_, *pyramid_,
                                            options_.encoders);
    return absl::OkStatus();
  }

  absl::StatusOr<OutputState> Save() {
    TW_RETURN_IF_ERROR(writer_->Flush());
    OutputState state;
    TW_ASSIGN_OR_RETURN(state.quarters, pyramid_->Save());
    state.tiff = canvas_->Save();
    state.block_hashes = writer_->block_hashes();
    state.blocks_copied = writer_->blocks_copied();
    return state;
  }

  absl::Status Sync() const {
    return fdatasync(partial_.fd()) == 0 ? absl::OkStatus()
                                         : FileError("syncing", partial_.path(), errno);
  }

  absl::Status Restore(const OutputState& state, const Interrupt* interrupt) {
    if (state.block_hashes.size() != written_.size()) {
      return absl::InvalidArgumentError("what was written before belongs to another picture");
    }
    TW_RETURN_IF_ERROR(pyramid_->Restore(state.quarters));
    TW_RETURN_IF_ERROR(canvas_->Restore(state.tiff, interrupt));
    writer_->set_block_hashes(state.block_hashes);
    writer_->set_blocks_copied(state.blocks_copied);
    const int64_t columns = options_.format.block_columns();
    for (size_t i = 0; i < written_.size(); ++i) {
      const auto index = static_cast<int64_t>(i);
      written_[i] = canvas_->Holds(0, index % columns, index / columns);
    }
    blocks_left_ = std::count(written_.begin(), written_.end(), false);
    return absl::OkStatus();
  }

  void Leave() { partial_.Leave(); }

  absl::Status WriteBlock(int64_t column, int64_t row, absl::Span<const std::byte> samples) {
    const CanvasFormat& format = options_.format;
    TW_RETURN_IF_ERROR(CheckBlock(column, row));
    if (static_cast<int64_t>(samples.size()) !=
        format.BlockRect(column, row).area() * format.pixel_bytes()) {
      return NoSuchBlock(column, row, absl::StrCat("of ", samples.size(), " bytes "));
    }
    TW_RETURN_IF_ERROR(writer_->Write(column, row, samples));
    MarkWritten(column, row);
    return absl::OkStatus();
  }

  absl::Status MakeBlock(int64_t column, int64_t row, int64_t bytes_max, BlockMaker make) {
    TW_RETURN_IF_ERROR(CheckBlock(column, row));
    TW_RETURN_IF_ERROR(writer_->Make(column, row, bytes_max, std::move(make)));
    MarkWritten(column, row);
    return absl::OkStatus();
  }

  absl::Status stalled() const { return writer_->stalled(); }
  absl::Status Retry() { return writer_->Retry(); }
  int64_t blocks_copied() const { return writer_->blocks_copied(); }
  uint64_t pixel_hash() const { return writer_->pixel_hash(); }

  absl::Status Publish() {
    if (stage_ == Stage::kLost || (stage_ == Stage::kWriting && blocks_left_ > 0)) {
      return absl::FailedPreconditionError(
          stage_ == Stage::kLost
              ? absl::StrCat("publishing ", options_.path, ": it was tried before")
              : absl::StrCat("publishing ", options_.path, ": ", blocks_left_, " of ",
                             written_.size(), " blocks were never written"));
    }
    if (stage_ == Stage::kWriting) TW_RETURN_IF_ERROR(FinishTiff(&TiffCanvas::Finish));
    if (!published_) {
      if (exports()) {
        TW_RETURN_IF_ERROR(Export());
      } else {
        TW_RETURN_IF_ERROR(Move(partial_.path(), options_.path, options_.overwrite));
        partial_.Leave();
      }
      published_ = true;
    }
    TW_RETURN_IF_ERROR(SyncFolder(folder_));
    if (!exports()) return absl::OkStatus();
    if (unlink(partial_.path().c_str()) != 0) {
      return FileError("removing", partial_.path(), errno);
    }
    partial_.Leave();
    return absl::OkStatus();
  }

  void BeginPartial() {
    if (stage_ == Stage::kWriting && writer_->Flush().ok()) writer_->LeaveOutZeros();
  }

  absl::Status KeepPartial() {
    if (stage_ == Stage::kLost || partial_.left()) {
      return absl::FailedPreconditionError(
          absl::StrCat("keeping what there is of ", options_.path, ": there is nothing"));
    }
    if (stage_ == Stage::kWriting) TW_RETURN_IF_ERROR(FinishTiff(&TiffCanvas::FinishPartial));
    TW_RETURN_IF_ERROR(Move(partial_.path(), PartialPathOf(options_.path), options_.overwrite));
    partial_.Leave();
    return SyncFolder(folder_);
  }

 private:
  // What has become of the TIFF:
  //
  //   kWriting -> kFinished
  //       |
  //       +-----> kLost
  enum class Stage {
    kWriting,   // takes blocks
    kFinished,  // complete and on the disk
    kLost,      // it could not be finished
  };

  bool exports() const { return kind_ != OutputKind::kTiff || options_.resampled.has_value(); }

  size_t IndexOf(int64_t column, int64_t row) const {
    return static_cast<size_t>(row * options_.format.block_columns() + column);
  }
  absl::Status NoSuchBlock(int64_t column, int64_t row, const std::string& what) const {
    return absl::InvalidArgumentError(absl::StrCat("writing ", partial_.path(), ": no block ", what,
                                                   "lies at column ", column, ", row ", row));
  }
  // Whether the block is there, and still to be written.
  absl::Status CheckBlock(int64_t column, int64_t row) const {
    const CanvasFormat& format = options_.format;
    if (column < 0 || column >= format.block_columns() || row < 0 || row >= format.block_rows()) {
      return NoSuchBlock(column, row, "");
    }
    if (stage_ != Stage::kWriting || written_[IndexOf(column, row)]) {
      return absl::FailedPreconditionError(absl::StrCat("writing ", partial_.path(),
                                                        ": the block at column ", column, ", row ",
                                                        row, " was written before"));
    }
    return absl::OkStatus();
  }
  void MarkWritten(int64_t column, int64_t row) {
    written_[IndexOf(column, row)] = true;
    --blocks_left_;
  }

  absl::Status FinishTiff(absl::Status (TiffCanvas::*finish)()) {
    absl::Status status = writer_->Flush();
    if (IsNoRoom(status)) status = writer_->Retry();
    if (status.ok()) status = (canvas_.get()->*finish)();
    if (IsNoRoom(status)) return status;
    stage_ = Stage::kLost;
    TW_RETURN_IF_ERROR(status);
    // What a file system could not keep when it came to it is lost, room or not.
    if (fsync(partial_.fd()) != 0) {
      return NotForRoom(FileError("syncing", partial_.path(), errno));
    }
    stage_ = Stage::kFinished;
    return absl::OkStatus();
  }

  absl::Status Export() {
    const absl::Cleanup remove = [this] {
      unlink(export_.c_str());
      if (kind_ == OutputKind::kDzi) RemoveDeepZoom(export_);
    };
    const Size size = options_.resampled.value_or(options_.format.size);
    const int64_t pixels = std::max(options_.format.size.area(), size.area());
    const absl::Duration limit =
        absl::Minutes(1) + absl::Seconds(pixels / kExportPixelsPerSecondMin);
    TW_RETURN_IF_ERROR(RunExportProcess(
        {options_.export_program, partial_.path(), export_,
         ExportRequest{kind_, size, options_.encoding, options_.overviews, options_.format.labels}},
        limit));
    if (kind_ == OutputKind::kDzi) {
      return PublishDeepZoom(export_, options_.path, options_.overwrite);
    }
    TW_RETURN_IF_ERROR(SyncFile(export_));
    return Move(export_, options_.path, options_.overwrite);
  }

  const OutputOptions options_;
  const OutputKind kind_;
  const int levels_;
  const std::string export_;
  const std::string folder_;
  PartialClaim partial_;  // goes after what writes it
  ScratchFile own_scratch_;
  std::unique_ptr<TiffCanvas> canvas_;
  std::unique_ptr<Pyramid> pyramid_;
  std::unique_ptr<BlockWriter> writer_;
  Stage stage_ = Stage::kWriting;
  std::vector<bool> written_;  // by row * block_columns + column: was handed over
  int64_t blocks_left_;        // Invariant: the number of false in written_
  bool published_ = false;     // the output has its name
};

OutputFile::OutputFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
OutputFile::~OutputFile() = default;

namespace {

// Whether there may be a job for that output.
absl::StatusOr<OutputKind> CheckOutput(const OutputOptions& options) {
  TW_ASSIGN_OR_RETURN(const OutputKind kind, OutputKindOf(options.path));
  // A canvas that is resampled need not fit the format itself.
  CanvasFormat exported = options.format;
  exported.size = options.resampled.value_or(options.format.size);
  TW_RETURN_IF_ERROR(CheckOutputFormat(kind, exported));
  TW_RETURN_IF_ERROR(CheckOutputFormat(OutputKind::kTiff, options.format));
  struct stat file;
  if (stat(options.path.c_str(), &file) == 0) {
    if (S_ISDIR(file.st_mode)) {
      return absl::InvalidArgumentError(
          absl::StrCat("output ", options.path, " is a folder; name a file in it"));
    }
    if (!options.overwrite) {
      return absl::AlreadyExistsError(
          absl::StrCat("output ", options.path, " exists; use --overwrite to replace it"));
    }
  } else if (errno != ENOENT) {
    return FileError("creating output", options.path, errno);
  }
  const std::string folder = FolderOf(options.path);
  if (!Exists(folder)) {
    return absl::NotFoundError(absl::StrCat("creating output ", options.path, ": its folder ",
                                            folder, " does not exist; create it first"));
  }
  if (kind == OutputKind::kDzi) {
    TW_RETURN_IF_ERROR(CheckDeepZoomFree(options.path, options.overwrite));
  }
  return kind;
}

}  // namespace

absl::StatusOr<std::unique_ptr<OutputFile>> OutputFile::Create(const OutputOptions& options) {
  TW_ASSIGN_OR_RETURN(PartialClaim partial, Claim(options));
  return Create(options, std::move(partial));
}

absl::Status OutputFile::Check(const OutputOptions& options) {
  return CheckOutput(options).status();
}

absl::StatusOr<PartialClaim> OutputFile::Claim(const OutputOptions& options) {
  TW_RETURN_IF_ERROR(Check(options));
  return PartialClaim::Create(PartialClaim::PathFor(options.path), options.overwrite);
}

absl::StatusOr<std::unique_ptr<OutputFile>> OutputFile::Create(const OutputOptions& options,
                                                               PartialClaim partial) {
  TW_ASSIGN_OR_RETURN(const OutputKind kind, OutputKindOf(options.path));
  auto impl = std::make_unique<Impl>(options, kind, std::move(partial));
  TW_RETURN_IF_ERROR(impl->Start());
  return std::unique_ptr<OutputFile>(new OutputFile(std::move(impl)));
}

absl::StatusOr<std::unique_ptr<OutputFile>> OutputFile::Continue(const OutputOptions& options,
                                                                 PartialClaim partial,
                                                                 const OutputState& state,
                                                                 const Interrupt* interrupt) {
  TW_ASSIGN_OR_RETURN(const OutputKind kind, OutputKindOf(options.path));
  auto impl = std::make_unique<Impl>(options, kind, std::move(partial));
  TW_RETURN_IF_ERROR(impl->Start());
  const absl::Status restored = impl->Restore(state, interrupt);
  if (!restored.ok() && !CheckInterrupt(interrupt).ok()) impl->Leave();
  TW_RETURN_IF_ERROR(restored);
  return std::unique_ptr<OutputFile>(new OutputFile(std::move(impl)));
}

absl::StatusOr<OutputState> OutputFile::Save() { return impl_->Save(); }
absl::Status OutputFile::Sync() const { return impl_->Sync(); }
void OutputFile::Leave() { impl_->Leave(); }

absl::Status OutputFile::WriteBlock(int64_t column, int64_t row,
                                    absl::Span<const std::byte> samples) {
  return impl_->WriteBlock(column, row, samples);
}
absl::Status OutputFile::MakeBlock(int64_t column, int64_t row, int64_t bytes_max,
                                   BlockMaker make) {
  return impl_->MakeBlock(column, row, bytes_max, std::move(make));
}
absl::Status OutputFile::stalled() const { return impl_->stalled(); }
absl::Status OutputFile::Retry() { return impl_->Retry(); }
absl::Status OutputFile::Publish() { return impl_->Publish(); }
int64_t OutputFile::blocks_copied() const { return impl_->blocks_copied(); }
uint64_t OutputFile::pixel_hash() const { return impl_->pixel_hash(); }
void OutputFile::BeginPartial() { impl_->BeginPartial(); }
absl::Status OutputFile::KeepPartial() { return impl_->KeepPartial(); }

}  // namespace tilewright
