#include "coordinator/image/tiff_pages.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "coordinator/image/tiff_handle.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

bool IsPage(const TiffHandle& tiff) {
  constexpr uint32_t kOfAnother = FILETYPE_REDUCEDIMAGE | FILETYPE_MASK;
  return (tiff.Field<uint32_t>(TIFFTAG_SUBFILETYPE) & kOfAnother) == 0;
}

}  // namespace

absl::Status NoSuchPage(const FileWatch& file, int64_t page, int64_t pages) {
  return absl::OutOfRangeError(
      pages == 1 ? absl::StrCat("opening ", file.path(), ": page ", page,
                                " was asked for, and it holds one image, page 0")
                 : absl::StrCat("opening ", file.path(), ": page ", page,
                                " was asked for, and it has ", pages, " pages, 0 to ", pages - 1));
}

absl::StatusOr<TiffPage> FindTiffPage(const FileWatch& file, int64_t page) {
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<TiffHandle> tiff, TiffHandle::Open(file));
  TiffPage found;
  found.offset = TIFFCurrentDirOffset(tiff->get());
  int64_t pages = 0;
  for (int64_t directory = 0;; ++directory) {
    if (IsPage(*tiff) && pages++ == page) {
      found.directory = directory;
      found.offset = TIFFCurrentDirOffset(tiff->get());
    }
    if (TIFFLastDirectory(tiff->get()) != 0) break;
    if (directory + 1 == kTiffDirectoriesMax) {
      return absl::ResourceExhaustedError(
          absl::StrCat("opening ", file.path(), ": it has more than ", kTiffDirectoriesMax,
                       " directories, the limit: take it apart, for instance with tiffsplit"));
    }
    tiff->Forget();
    if (TIFFReadDirectory(tiff->get()) != 1) {
      return absl::DataLossError(absl::StrCat(
          "opening ", file.path(), ": the tiff file is truncated or damaged (behind directory ",
          directory, ": ",
          tiff->complaint().empty() ? "it comes back to an earlier one" : tiff->complaint(), ")"));
    }
  }
  found.pages = pages == 0 ? 1 : pages;
  if (page >= found.pages) return NoSuchPage(file, page, found.pages);
  return found;
}

}  // namespace tilewright
