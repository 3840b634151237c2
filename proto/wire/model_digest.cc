#include "proto/wire/model_digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"

namespace tilewright {

bool IsModelFileName(absl::string_view name) {
  if (name.empty() || name.size() > 128 || name.front() == '.') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  });
}

struct ModelDigest::State {
  struct Free {
    void operator()(EVP_MD_CTX* owned) const { EVP_MD_CTX_free(owned); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context{EVP_MD_CTX_new()};
};

ModelDigest::ModelDigest() : state_(std::make_unique<State>()) {
  [[maybe_unused]] const int ok =
      EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), /*impl=*/nullptr);
  assert(ok == 1);
}

ModelDigest::~ModelDigest() = default;

void ModelDigest::BeginFile(absl::string_view name, uint64_t bytes) {
  Add(name);
  std::array<char, 9> tail = {};
  for (int i = 0; i < 8; ++i) tail[1 + i] = static_cast<char>(bytes >> (8 * i));
  Add(absl::string_view(tail.data(), tail.size()));
}

void ModelDigest::Add(absl::string_view data) {
  [[maybe_unused]] const int ok = EVP_DigestUpdate(state_->context.get(), data.data(), data.size());
  assert(ok == 1);
}

void ModelDigest::AddFile(absl::string_view name, absl::string_view contents) {
  BeginFile(name, contents.size());
  Add(contents);
}

std::string ModelDigest::Finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  [[maybe_unused]] const int ok = EVP_DigestFinal_ex(state_->context.get(), digest.data(), &size);
  assert(ok == 1);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest.data()), size));
}

absl::StatusOr<std::vector<std::string>> ListModelFiles(const std::string& folder) {
  std::error_code error;
  std::filesystem::directory_iterator entries(folder, error);
  std::vector<std::string> names;
  for (const auto end = std::filesystem::directory_iterator(); !error && entries != end;
       entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    std::error_code unreadable;
    if (IsModelFileName(name) && entries->is_regular_file(unreadable)) names.push_back(name);
  }
  if (error) {
    return absl::NotFoundError(
        absl::StrCat("cannot read the model folder '", folder, "': ", error.message()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<std::string> DigestModelFolder(const std::string& folder) {
  TW_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListModelFiles(folder));
  ModelDigest digest;
  std::vector<char> piece(1 << 20);
  for (const std::string& name : names) {
    const std::string path = absl::StrCat(folder, "/", name);
    std::error_code error;
    const uint64_t bytes = std::filesystem::file_size(path, error);
    std::ifstream file(path, std::ios::binary);
    if (error || !file) {
      return absl::NotFoundError(absl::StrCat("cannot read the model file '", path, "'"));
    }
    digest.BeginFile(name, bytes);
    uint64_t left = bytes;
    while (left > 0 && file) {
      file.read(piece.data(), static_cast<std::streamsize>(std::min<uint64_t>(left, piece.size())));
      digest.Add(absl::string_view(piece.data(), static_cast<size_t>(file.gcount())));
      left -= static_cast<uint64_t>(file.gcount());
    }
    if (left > 0) {
      return absl::DataLossError(
          absl::StrCat("the model file '", path, "' ended ", left, " bytes early"));
    }
  }
  return digest.Finish();
}

}  // namespace tilewright
