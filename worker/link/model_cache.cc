#include "worker/link/model_cache.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "proto/wire/model_digest.h"
#include "worker/engine/local_model.h"

namespace tilewright {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kStall = absl::Seconds(60);
constexpr uint64_t kModelBytesMax = uint64_t{64} << 30;
constexpr int kModelFilesMax = 1000;

absl::Status FileError(absl::string_view what, const std::string& path, int error) {
  return absl::Status(absl::ErrnoToStatusCode(error),
                      absl::StrCat("cannot ", what, " '", path, "': ", std::strerror(error)));
}

// Writes the files of a model into a folder as their pieces come.
class Unpacker {
 public:
  explicit Unpacker(std::string folder) : folder_(std::move(folder)) {}
  ~Unpacker() {
    if (file_ >= 0) close(file_);
  }

  absl::Status Add(const v1::FetchModelResponse& piece) {
    if (!piece.file().empty()) TW_RETURN_IF_ERROR(Begin(piece));
    if (file_ < 0) return absl::DataLossError("a piece came before the name of its file");
    absl::string_view data = piece.data();
    if (data.size() > left_) {
      return absl::DataLossError(absl::StrCat("file '", path_, "' is longer than announced"));
    }
    left_ -= data.size();
    total_ += data.size();
    while (!data.empty()) {
      const ssize_t written = write(file_, data.data(), data.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return FileError("write", path_, errno);
      data.remove_prefix(static_cast<size_t>(written));
    }
    return absl::OkStatus();
  }

  absl::Status End() {
    if (left_ > 0) {
      return absl::DataLossError(absl::StrCat("file '", path_, "' ended ", left_, " bytes early"));
    }
    if (file_ >= 0 && close(std::exchange(file_, -1)) != 0) {
      return FileError("close", path_, errno);
    }
    return absl::OkStatus();
  }

  uint64_t total() const { return total_; }

 private:
  absl::Status Begin(const v1::FetchModelResponse& piece) {
    TW_RETURN_IF_ERROR(End());
    if (!IsModelFileName(piece.file())) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", piece.file(), "' may not be the name of a model's file"));
    }
    if (++files_ > kModelFilesMax || piece.file_bytes() > kModelBytesMax - total_) {
      return absl::ResourceExhaustedError(absl::StrCat("the model has more than ", kModelFilesMax,
                                                       " files or ", kModelBytesMax, " bytes"));
    }
    path_ = absl::StrCat(folder_, "/", piece.file());
    file_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file_ < 0) return FileError("create", path_, errno);
    left_ = piece.file_bytes();
    return absl::OkStatus();
  }

  const std::string folder_;
  std::string path_;
  int file_ = -1;
  uint64_t left_ = 0;
  uint64_t total_ = 0;
  int files_ = 0;
};

}  // namespace

std::string DefaultCacheFolder() {
  if (const char* own = std::getenv("TILEWRIGHT_CACHE"); own != nullptr && *own != '\0') return own;
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg != nullptr && *xdg != '\0') {
    return absl::StrCat(xdg, "/tilewright");
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    return absl::StrCat(home, "/.cache/tilewright");
  }
  return absl::StrCat("/tmp/tilewright-", getuid());
}

ModelCache::ModelCache(const std::string& folder, uint64_t bytes_max,
                       v1::WorkerService::StubInterface* stub)
    : folders_(absl::StrCat(folder, "/models"), bytes_max), stub_(stub) {}

absl::StatusOr<LocalModel> ModelCache::Get(const std::string& digest,
                                           const std::function<void(std::string)>& progress) {
  if (const auto it = open_.find(digest); it != open_.end()) return it->second;
  if (!IsModelDigest(digest)) {
    return absl::InvalidArgumentError(absl::StrCat("'", digest, "' is not a model digest"));
  }
  std::error_code error;
  if (fs::exists(folders_.PathOf(digest), error)) {
    absl::StatusOr<LocalModel> model = Open(digest);
    if (model.ok()) return model;
    progress(absl::StrCat("fetching the model again: ", model.status().message()));
    fs::remove_all(folders_.PathOf(digest), error);
  }
  TW_RETURN_IF_ERROR(Fetch(digest, progress));
  TW_ASSIGN_OR_RETURN(LocalModel model, Open(digest));
  Prune();
  return model;
}

absl::StatusOr<LocalModel> ModelCache::Open(const std::string& digest) {
  std::shared_ptr<const void> hold = folders_.Use(digest);
  TW_ASSIGN_OR_RETURN(LocalModel model, OpenLocalModel(folders_.PathOf(digest), digest));
  model.hold = std::move(hold);
  return open_.emplace(digest, std::move(model)).first->second;
}

void ModelCache::Prune() {
  if (folders_.Bytes() <= folders_.bytes_max()) return;
  std::erase_if(open_, [](const auto& entry) { return entry.second.hold.use_count() == 1; });
  const ModelFolders::Pruned pruned = folders_.Prune();
  for (const std::string& digest : pruned.removed) {
    spdlog::info("removed the model {} from the cache: the least recently used", digest);
  }
  if (pruned.bytes_left > folders_.bytes_max()) {
    spdlog::warn("the models in use take {} bytes, and the cache may hold {} (--cache-bytes)",
                 pruned.bytes_left, folders_.bytes_max());
  }
}

absl::Status ModelCache::Fetch(const std::string& digest,
                               const std::function<void(std::string)>& progress) {
  const std::string target = folders_.PathOf(digest);
  const std::string partial = folders_.PartialPathOf(digest);
  std::error_code error;
  fs::remove_all(partial, error);
  fs::create_directories(partial, error);
  if (error) return FileError("create the cache folder", partial, error.value());
  const auto clean = absl::MakeCleanup([&partial] {
    std::error_code ignored;  // of a folder that has been renamed
    fs::remove_all(partial, ignored);
  });

  ModelFetch fetch(*stub_, digest, kStall);
  {
    absl::MutexLock lock(&mutex_);
    if (cancelled_) return absl::CancelledError("the worker stops");
    fetch_ = &fetch;
  }
  const auto forget = absl::MakeCleanup([this] {
    absl::MutexLock lock(&mutex_);
    fetch_ = nullptr;
  });
  Unpacker unpacker(partial);
  uint64_t told = 0;
  progress("fetching the model");
  while (const v1::FetchModelResponse* piece = fetch.Next()) {
    TW_RETURN_IF_ERROR(Annotate(unpacker.Add(*piece), "fetching the model"));
    if (unpacker.total() - told >= (4 << 20)) {
      told = unpacker.total();
      progress(absl::StrCat("fetching the model, ", told >> 20, " MiB so far"));
    }
  }
  TW_RETURN_IF_ERROR(Annotate(fetch.status(), absl::StrCat("fetching model ", digest)));
  TW_RETURN_IF_ERROR(unpacker.End());
  TW_ASSIGN_OR_RETURN(const std::string arrived, DigestModelFolder(partial));
  if (arrived != digest) {
    return absl::DataLossError(absl::StrCat("the coordinator sent a model with the digest ",
                                            arrived, " instead of ", digest));
  }
  fs::rename(partial, target, error);
  // Another process may have been faster; what lies there is verified when it is opened.
  if (error && !fs::exists(target)) return FileError("store the model in", target, error.value());
  return absl::OkStatus();
}

void ModelCache::Cancel() {
  absl::MutexLock lock(&mutex_);
  cancelled_ = true;
  if (fetch_ != nullptr) fetch_->Cancel();
}

}  // namespace tilewright
