#include "client/src/transfer.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/src/retry.h"
#include "proto/base/status_macros.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

constexpr uint64_t kPieceBytes = 1 << 20;
// A link slower than this is no link; a cut one is noticed by keepalive long before.
constexpr uint64_t kSlowestBytesPerSecond = 64 << 10;
constexpr absl::Duration kLongestDownload = absl::Hours(24);

}  // namespace

absl::StatusOr<std::string> UploadFile(v1::RenderService::Stub& stub, const std::string& path,
                                       uint64_t bytes, uint32_t page) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return WithReason(absl::ErrnoToStatus(errno, absl::StrCat("opening '", path, "'")),
                      "INPUT_NOT_READABLE");
  }
  grpc::ClientContext context;
  SetDeadline(context, absl::Minutes(1) +
                           absl::Seconds(static_cast<int64_t>(bytes / kSlowestBytesPerSecond)));
  v1::UploadResponse response;
  const auto writer = stub.Upload(&context, &response);
  v1::UploadRequest request;
  request.set_filename(std::filesystem::path(path).filename().string());
  request.set_total_bytes(bytes);
  request.set_page(page);
  uint64_t sent = 0;
  bool open = true;
  do {
    std::string& piece = *request.mutable_data();
    piece.resize(std::min(kPieceBytes, bytes - sent));
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    if (static_cast<uint64_t>(file.gcount()) != piece.size()) break;
    open = writer->Write(request);
    sent += piece.size();
    request.clear_filename();
    request.clear_total_bytes();
    request.clear_page();
  } while (open && sent < bytes);
  if (open && (sent != bytes || file.peek() != std::ifstream::traits_type::eof())) {
    context.TryCancel();
    (void)writer->Finish();  // CANCELLED, by us
    return WithReason(absl::AbortedError(absl::StrCat("input '", path,
                                                      "' changed while it was uploaded: try again "
                                                      "when nobody writes to it")),
                      "INPUT_CHANGED");
  }
  writer->WritesDone();
  TW_RETURN_IF_ERROR(Annotate(FromGrpc(writer->Finish()), absl::StrCat("uploading '", path, "'")));
  return response.uri();
}

absl::Status DownloadTo(v1::RenderService::Stub& stub, const std::string& job, PartialFile& file) {
  grpc::ClientContext context;
  SetDeadline(context, kLongestDownload);
  v1::DownloadRequest request;
  request.set_name(job);
  const auto reader = stub.Download(&context, request);
  uint64_t announced = 0;
  uint64_t received = 0;
  absl::Status written;
  v1::DownloadResponse response;
  for (bool first = true; written.ok() && reader->Read(&response); first = false) {
    if (first) announced = response.total_bytes();
    received += response.data().size();
    if (received > announced) break;
    written = file.Append(response.data());
  }
  if (!written.ok() || received > announced) context.TryCancel();
  const absl::Status finished = FromGrpc(reader->Finish());
  TW_RETURN_IF_ERROR(written);
  if (received <= announced) TW_RETURN_IF_ERROR(finished);
  if (received != announced) {
    return WithReason(
        absl::DataLossError(absl::StrCat("the output of ", job, " was announced with ", announced,
                                         " bytes, and ", received, " came")),
        "DOWNLOAD_TRUNCATED");
  }
  return absl::OkStatus();
}

}  // namespace tilewright
