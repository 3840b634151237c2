#include "coordinator/jobs/output_encoding.h"

#include <algorithm>
#include <climits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "coordinator/image/jpeg_tables.h"
#include "coordinator/image/tile_storage.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

// `encoding`, with what the request leaves open as the input has it; but what loses information is
// never taken over unasked.
TiffEncoding Following(const v1::RenderRequest& request, const TileStorage& input,
                       TiffEncoding encoding) {
  const v1::OutputOptions& options = request.output_options();
  if (request.compression().empty() && options.compression_level() == 0 &&
      input.compression != Compression::kJpeg) {
    encoding.compression = input.compression;
  }
  if (encoding.compression == Compression::kJpeg && input.compression == Compression::kJpeg) {
    const std::optional<int> quality =
        input.jpeg.tables.empty() ? encoding.jpeg_quality : QualityOf(input);
    if (quality.has_value() && (options.jpeg_quality() == 0 || *quality == encoding.jpeg_quality)) {
      encoding.jpeg_quality = *quality;
      encoding.jpeg = input.jpeg;
    }
  }
  if (options.tiff_tile() == 0) encoding.tile_side = input.side;
  encoding.predictor = input.predictor;
  return encoding;
}

}  // namespace

absl::Status ResolveEncoding(ResolvedJob* job, std::vector<std::string>* notes) {
  const v1::RenderRequest& request = job->request;
  const v1::OutputOptions& options = request.output_options();
  TiffEncoding& encoding = job->encoding;
  TW_ASSIGN_OR_RETURN(
      encoding.compression,
      ParseCompression(request.compression().empty() ? "deflate" : request.compression()));
  if (options.compression_level() != 0) {
    encoding.level = static_cast<int>(std::min<uint32_t>(options.compression_level(), INT_MAX));
  }
  if (options.jpeg_quality() != 0) {
    encoding.jpeg_quality = static_cast<int>(std::min<uint32_t>(options.jpeg_quality(), INT_MAX));
  }
  encoding.tile_side =
      options.tiff_tile() != 0 ? int64_t{options.tiff_tile()} : UsualTileSide(job->written);
  if (job->kind != OutputKind::kTiff) {
    if (encoding.compression == Compression::kJpeg) {
      return absl::InvalidArgumentError(
          "compression jpeg is one of TIFF files; write .tif, or .jpg without it");
    }
    if (options.overviews()) {
      return absl::InvalidArgumentError("overviews are kept in TIFF files only; write .tif");
    }
  }
  TW_RETURN_IF_ERROR(CheckEncoding(encoding, job->written));
  const std::optional<TileStorage>& input = job->reader->info().storage;
  if (job->mask_reader == nullptr || !input.has_value()) return absl::OkStatus();
  const TiffEncoding following = Following(request, *input, encoding);
  const Rect& part = job->plan->part();
  if (!CheckEncoding(following, job->written).ok() ||
      !StoresAlike(*input, job->written, following) || part.x % input->side != 0 ||
      part.y % input->side != 0) {
    return absl::OkStatus();
  }
  encoding = following;
  notes->push_back(
      absl::StrCat("blocks that the mask does not mark are copied as the input stores "
                   "them (",
                   Describe(encoding), ", tiles of ", encoding.tile_side, ")"));
  return absl::OkStatus();
}

bool CopiesTiles(const ResolvedJob& job) {
  const std::optional<TileStorage>& input = job.reader->info().storage;
  return input.has_value() && StoresAlike(*input, job.written, job.encoding);
}

}  // namespace tilewright
