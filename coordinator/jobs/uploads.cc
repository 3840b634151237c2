#include "coordinator/jobs/uploads.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "coordinator/jobs/input_error.h"
#include "coordinator/jobs/state_folder.h"
#include "proto/base/status_macros.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

absl::Status OverLimit(std::string text) {
  return WithReason(absl::ResourceExhaustedError(std::move(text)), "LIMIT_EXCEEDED");
}

}  // namespace

std::string Uploads::PathOfId(absl::string_view id) const { return absl::StrCat(folder_, "/", id); }

absl::Status Uploads::Decode(const std::string& id, uint32_t page) {
  const std::string sent = PathOfId(id);
  const std::string decoded = sent + ".tif";
  int64_t bytes_max = 0;
  {
    absl::MutexLock lock(&mu_);
    bytes_max = limits_.total_bytes_max - total_bytes_;
  }
  const absl::StatusOr<int64_t> pages = decode_({sent, decoded, bytes_max, page});
  if (!pages.ok()) return WithInputReason(pages.status());
  struct stat file;
  if (rename(decoded.c_str(), sent.c_str()) != 0 || stat(sent.c_str(), &file) != 0) {
    const int error = errno;
    unlink(decoded.c_str());
    return absl::UnavailableError(
        absl::StrCat("the coordinator cannot keep the decoded upload: ", strerror(error)));
  }
  absl::MutexLock lock(&mu_);
  Kept& kept = uploads_[id];
  total_bytes_ += file.st_size - kept.bytes;
  kept = {file.st_size, true, page, *pages};
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Uploads::Writer>> Uploads::Begin(int64_t total_bytes,
                                                                uint32_t page) {
  if (total_bytes <= 0) {
    return WithReason(absl::InvalidArgumentError(
                          "an upload must announce its size in total_bytes, at least 1 byte"),
                      "NOT_AN_IMAGE");
  }
  if (total_bytes > limits_.bytes_max) {
    return OverLimit(absl::StrCat("an upload of ", total_bytes, " bytes is over the limit of ",
                                  limits_.bytes_max,
                                  " (--max-upload-bytes): share the file's folder instead"));
  }
  const std::string id = RandomId();
  {
    absl::MutexLock lock(&mu_);
    if (static_cast<int>(uploads_.size()) >= limits_.count_max ||
        total_bytes_ + total_bytes > limits_.total_bytes_max) {
      return OverLimit(
          absl::StrCat("the coordinator keeps ", uploads_.size(), " uploads of ", total_bytes_,
                       " bytes and takes no more now: try again when jobs have ended"));
    }
    uploads_[id] = Kept{total_bytes, false, page};
    total_bytes_ += total_bytes;
  }
  const int descriptor = open(PathOfId(id).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    const int error = errno;
    Remove(absl::StrCat("upload:", id));
    return absl::UnavailableError(
        absl::StrCat("the coordinator cannot create a file for the upload: ", strerror(error)));
  }
  return std::unique_ptr<Writer>(new Writer(this, id, page, descriptor, total_bytes));
}

absl::StatusOr<KeptUpload> Uploads::Find(absl::string_view uri) const {
  absl::string_view id = uri;
  absl::ConsumePrefix(&id, "upload:");
  absl::MutexLock lock(&mu_);
  const auto found = uploads_.find(id);
  if (found == uploads_.end() || !found->second.complete) {
    return WithReason(absl::NotFoundError(absl::StrCat(
                          "there is no upload '", uri,
                          "': uploads are removed when their job has ended; upload it again")),
                      "INPUT_NOT_FOUND");
  }
  return KeptUpload{PathOfId(id), found->second.page, found->second.pages};
}

void Uploads::Remove(absl::string_view uri) {
  absl::string_view id = uri;
  absl::ConsumePrefix(&id, "upload:");
  absl::MutexLock lock(&mu_);
  const auto found = uploads_.find(id);
  if (found == uploads_.end()) return;
  total_bytes_ -= found->second.bytes;
  uploads_.erase(found);
  unlink(PathOfId(id).c_str());
}

Uploads::Writer::~Writer() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!kept_) uploads_->Remove(id_);
}

absl::Status Uploads::Writer::Append(absl::string_view bytes) {
  if (written_ + static_cast<int64_t>(bytes.size()) > announced_) {
    return absl::InvalidArgumentError(absl::StrCat("the upload holds more than the ", announced_,
                                                   " bytes that its first message announced"));
  }
  while (!bytes.empty()) {
    const ssize_t wrote = write(descriptor_, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) {
      return OverLimit(absl::StrCat("the coordinator cannot store the upload: ", strerror(errno),
                                    "; free space in its state folder"));
    }
    bytes.remove_prefix(static_cast<size_t>(wrote));
    written_ += wrote;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Uploads::Writer::Keep() {
  if (written_ != announced_) {
    return absl::InvalidArgumentError(absl::StrCat("the upload ended after ", written_, " of ",
                                                   announced_, " bytes: send it again"));
  }
  close(descriptor_);
  descriptor_ = -1;
  TW_RETURN_IF_ERROR(uploads_->Decode(id_, page_));
  kept_ = true;
  return absl::StrCat("upload:", id_);
}

}  // namespace tilewright
