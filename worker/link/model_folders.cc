#include "worker/link/model_folders.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace tilewright {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::hours kAbandonedAfter(24);

// A lock on a folder, by the open file of this object: it holds against others of this process too,
// and ends with the process at the latest.
class FolderLock {
 public:
  static std::optional<FolderLock> Take(const std::string& path, int operation) {
    FolderLock lock;
    lock.file_ = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock.file_ < 0 || flock(lock.file_, operation) != 0) return std::nullopt;
    // Whoever had it before may have removed what lies there.
    struct stat opened = {};
    struct stat named = {};
    if (fstat(lock.file_, &opened) != 0 || stat(path.c_str(), &named) != 0 ||
        opened.st_dev != named.st_dev || opened.st_ino != named.st_ino) {
      return std::nullopt;
    }
    return lock;
  }

  FolderLock(FolderLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock() {
    if (file_ >= 0) close(file_);
  }

  // The folder's time of use is its time of modification. Where it cannot be set, the folder goes
  // earlier than it need.
  void Touch() const { futimens(file_, nullptr); }

 private:
  FolderLock() = default;
  int file_ = -1;
};

// A shared lock, and the time of its end.
class Hold {
 public:
  explicit Hold(FolderLock lock) : lock_(std::move(lock)) { lock_.Touch(); }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  ~Hold() { lock_.Touch(); }

 private:
  const FolderLock lock_;
};

struct Folder {
  std::string path;
  fs::file_time_type used;
};

// Other processes add and remove folders meanwhile: what is gone has no bytes.
uint64_t BytesIn(const std::string& path) {
  std::error_code error;
  uint64_t bytes = 0;
  fs::recursive_directory_iterator entries(path, error);
  for (const auto end = fs::recursive_directory_iterator(); !error && entries != end;
       entries.increment(error)) {
    std::error_code gone;
    if (!entries->is_regular_file(gone)) continue;
    if (const uintmax_t size = entries->file_size(gone); !gone) bytes += size;
  }
  return bytes;
}

// The least recently used first.
template <typename Wanted>
std::vector<Folder> FoldersIn(const std::string& parent, const Wanted& wanted) {
  std::vector<Folder> folders;
  std::error_code error;
  fs::directory_iterator entries(parent, error);
  for (const auto end = fs::directory_iterator(); !error && entries != end;
       entries.increment(error)) {
    std::error_code gone;
    if (!wanted(entries->path().filename().string()) || !entries->is_directory(gone)) continue;
    const fs::file_time_type used = entries->last_write_time(gone);
    if (gone) continue;
    folders.push_back({entries->path().string(), used});
  }
  std::sort(folders.begin(), folders.end(),
            [](const Folder& a, const Folder& b) { return a.used < b.used; });
  return folders;
}

// False if somebody uses it or it cannot be removed.
bool RemoveUnused(const std::string& path, const std::string& aside) {
  const std::optional<FolderLock> lock = FolderLock::Take(path, LOCK_EX | LOCK_NB);
  if (!lock.has_value()) return false;
  // At once, so that nobody finds half of it.
  std::error_code error;
  fs::rename(path, aside, error);
  if (error) return false;
  fs::remove_all(aside, error);  // what is left of it is what was being made
  return true;
}

}  // namespace

bool IsModelDigest(absl::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isdigit(static_cast<unsigned char>(c)) || (c >= 'a' && c <= 'f');
         });
}

ModelFolders::ModelFolders(std::string parent, uint64_t bytes_max)
    : parent_(std::move(parent)), bytes_max_(bytes_max) {}

std::string ModelFolders::PathOf(const std::string& digest) const {
  return absl::StrCat(parent_, "/", digest);
}

std::string ModelFolders::PartialPathOf(const std::string& digest) const {
  return absl::StrCat(parent_, "/.", digest, ".", getpid(), ".partial");
}

std::vector<std::string> ModelFolders::Digests() const {
  std::vector<std::string> digests;
  for (const Folder& folder : FoldersIn(parent_, IsModelDigest)) {
    digests.push_back(fs::path(folder.path).filename().string());
  }
  std::sort(digests.begin(), digests.end());
  return digests;
}

std::shared_ptr<const void> ModelFolders::Use(const std::string& digest) const {
  std::optional<FolderLock> lock = FolderLock::Take(PathOf(digest), LOCK_SH);
  if (!lock.has_value()) return nullptr;
  return std::make_shared<const Hold>(*std::move(lock));
}

ModelFolders::Pruned ModelFolders::Prune() const {
  Pruned pruned;
  pruned.bytes_left = Bytes();
  for (const Folder& model : FoldersIn(parent_, IsModelDigest)) {
    if (pruned.bytes_left <= bytes_max_) break;
    const std::string digest = fs::path(model.path).filename().string();
    const uint64_t bytes = BytesIn(model.path);
    if (!RemoveUnused(model.path, PartialPathOf(digest))) continue;
    pruned.removed.push_back(digest);
    pruned.bytes_removed += bytes;
    pruned.bytes_left -= std::min(pruned.bytes_left, bytes);
  }
  const auto abandoned_before = fs::file_time_type::clock::now() - kAbandonedAfter;
  const auto partial = [](absl::string_view name) {
    return absl::StartsWith(name, ".") && absl::EndsWith(name, ".partial");
  };
  for (const Folder& left : FoldersIn(parent_, partial)) {
    std::error_code error;
    if (left.used < abandoned_before) fs::remove_all(left.path, error);
  }
  return pruned;
}

uint64_t ModelFolders::Bytes() const {
  uint64_t bytes = 0;
  for (const Folder& model : FoldersIn(parent_, IsModelDigest)) bytes += BytesIn(model.path);
  return bytes;
}

}  // namespace tilewright
