#include "coordinator/image/export_request.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"

namespace tilewright {

std::vector<std::string> ExportWords(const ExportRequest& request) {
  return {std::string(OutputKindName(request.kind)),
          absl::StrCat(request.size.width),
          absl::StrCat(request.size.height),
          absl::StrCat(request.encoding.jpeg_quality),
          std::string(CompressionName(request.encoding.compression)),
          absl::StrCat(request.encoding.level),
          absl::StrCat(request.encoding.tile_side),
          request.overviews ? "overviews" : "alone",
          request.labels ? "labels" : "means"};
}

absl::StatusOr<ExportRequest> ParseExportWords(absl::Span<char* const> words) {
  ExportRequest request;
  if (words.size() != 9 || !absl::SimpleAtoi(words[1], &request.size.width) ||
      !absl::SimpleAtoi(words[2], &request.size.height) ||
      !absl::SimpleAtoi(words[3], &request.encoding.jpeg_quality) ||
      !absl::SimpleAtoi(words[5], &request.encoding.level) ||
      !absl::SimpleAtoi(words[6], &request.encoding.tile_side)) {
    return absl::InvalidArgumentError(
        "an export is said as KIND WIDTH HEIGHT QUALITY COMPRESSION LEVEL TILE OVERVIEWS "
        "REDUCTION");
  }
  TW_ASSIGN_OR_RETURN(request.kind, OutputKindOf(absl::StrCat("export.", words[0])));
  TW_ASSIGN_OR_RETURN(request.encoding.compression, ParseCompression(words[4]));
  request.overviews = words[7] == absl::string_view("overviews");
  request.labels = words[8] == absl::string_view("labels");
  return request;
}

}  // namespace tilewright
