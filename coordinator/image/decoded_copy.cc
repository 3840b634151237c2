#include "coordinator/image/decoded_copy.h"

#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "coordinator/image/file_error.h"
#include "coordinator/image/output_file.h"
#include "coordinator/merge/canvas.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

// A name of its own in a folder, for a file that is removed with this object.
class ScratchName {
 public:
  static absl::StatusOr<std::unique_ptr<ScratchName>> Make(const std::string& folder) {
    std::string name = absl::StrCat(folder, "/decoded-XXXXXX");
    if (mkdtemp(name.data()) == nullptr) return FileError("making a folder in", folder, errno);
    return std::unique_ptr<ScratchName>(new ScratchName(std::move(name)));
  }
  ~ScratchName() {
    unlink(path().c_str());
    rmdir(folder_.c_str());
  }
  std::string path() const { return folder_ + "/pixels.tif"; }

 private:
  explicit ScratchName(std::string folder) : folder_(std::move(folder)) {}
  const std::string folder_;
};

CanvasFormat FormatOfCopy(const ImageInfo& image) {
  return {image.size, image.channels, image.sample, image.array};
}

// The copy's pixels under the original's name and header.
class CopyReader : public ImageReader {
 public:
  CopyReader(ImageInfo info, std::unique_ptr<FileWatch> file, std::unique_ptr<ScratchName> name,
             std::unique_ptr<ImageReader> copy)
      : ImageReader(std::move(info), std::move(file)),
        name_(std::move(name)),
        copy_(std::move(copy)) {}

  bool KnownZero(const Rect& rect) override { return copy_->KnownZero(rect); }

 protected:
  absl::Status ReadInside(const Rect& rect, absl::Span<std::byte> samples) override {
    return copy_->Read(rect, PadMode::kZero, samples);
  }

 private:
  const std::unique_ptr<ScratchName> name_;  // outlives the copy
  const std::unique_ptr<ImageReader> copy_;
};

}  // namespace

ImageInfo InfoOfCopy(const ImageInfo& image) {
  ImageInfo info = image;
  if (image.access == ImageAccess::kAnywhere) return info;
  const int64_t side = UsualTileSide(FormatOfCopy(image));
  info.access = ImageAccess::kAnywhere;
  info.tile_bytes = side * side * image.pixel_bytes();
  return info;
}

absl::Status WriteDecodedCopy(ImageReader& reader, const std::string& to) {
  OutputOptions options;
  options.path = to;
  options.format = FormatOfCopy(reader.info());
  options.metadata = reader.info().metadata;
  options.encoding.compression = Compression::kNone;
  options.encoding.tile_side = UsualTileSide(options.format);
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<OutputFile> file, OutputFile::Create(options));
  std::vector<std::byte> samples;
  for (int64_t row = 0; row < options.format.block_rows(); ++row) {
    for (int64_t column = 0; column < options.format.block_columns(); ++column) {
      const Rect rect = options.format.BlockRect(column, row);
      samples.resize(static_cast<size_t>(rect.area() * options.format.pixel_bytes()));
      TW_RETURN_IF_ERROR(reader.Read(rect, PadMode::kZero, absl::MakeSpan(samples)));
      TW_RETURN_IF_ERROR(file->WriteBlock(column, row, samples));
    }
  }
  return file->Publish();
}

absl::StatusOr<std::unique_ptr<ImageReader>> ReadAnywhere(std::unique_ptr<ImageReader> reader,
                                                          const std::string& scratch) {
  if (reader->info().access == ImageAccess::kAnywhere) return reader;
  TW_ASSIGN_OR_RETURN(std::unique_ptr<ScratchName> name, ScratchName::Make(scratch));
  TW_RETURN_IF_ERROR(WriteDecodedCopy(*reader, name->path()));
  TW_ASSIGN_OR_RETURN(std::unique_ptr<ImageReader> copy, ImageReader::Open(name->path(), {}));
  // The original may go now; it is the copy that must not change.
  TW_ASSIGN_OR_RETURN(std::unique_ptr<FileWatch> file, FileWatch::Open(name->path()));
  return std::make_unique<CopyReader>(InfoOfCopy(reader->info()), std::move(file), std::move(name),
                                      std::move(copy));
}

}  // namespace tilewright
