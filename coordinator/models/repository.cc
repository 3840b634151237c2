#include "coordinator/models/repository.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "coordinator/models/manifest.h"
#include "proto/base/status_macros.h"
#include "proto/wire/model_digest.h"

namespace tilewright {
namespace {

constexpr int64_t kManifestBytesMax = 1 << 20;
constexpr size_t kModelsMax = 10000;

struct ParsedName {
  std::string model;
  int64_t version = 0;  // 0: the highest
};

std::string ModelOf(const RepositoryModel& model) {
  absl::string_view name = model.model.name();
  absl::ConsumePrefix(&name, "models/");
  return std::string(name.substr(0, name.find('/')));
}

int64_t VersionOf(const RepositoryModel& model) {
  const std::string& name = model.model.name();
  int64_t version = 0;
  if (!absl::SimpleAtoi(name.substr(name.rfind('/') + 1), &version)) return 0;
  return version;
}

bool IsModelName(absl::string_view name) {
  return !name.empty() && absl::ascii_isalnum(static_cast<unsigned char>(name.front())) &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' ||
                  c == '.';
         });
}

bool ParseVersion(absl::string_view text, int64_t* version) {
  return absl::SimpleAtoi(text, version) && *version >= 1 && absl::StrCat(*version) == text;
}

// Folders directly under `path`, sorted.
absl::StatusOr<std::vector<std::filesystem::path>> Folders(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::directory_iterator entries(path, error);
  if (error) {
    return absl::NotFoundError(
        absl::StrCat("folder ", path.string(), " cannot be listed: ", error.message()));
  }
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : entries) {
    if (entry.path().filename().string().front() == '.') continue;
    if (entry.is_directory(error)) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

absl::StatusOr<std::vector<ModelFile>> FilesOf(const std::string& folder) {
  TW_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListModelFiles(folder));
  std::vector<ModelFile> files;
  for (const std::string& name : names) {
    const std::string path = absl::StrCat(folder, "/", name);
    std::error_code error;
    const auto bytes = std::filesystem::file_size(path, error);
    if (error) {
      return absl::UnavailableError(
          absl::StrCat("model file ", path, " cannot be examined: ", error.message()));
    }
    files.push_back({name, path, static_cast<int64_t>(bytes)});
  }
  return files;
}

absl::StatusOr<std::string> ReadManifest(const ModelFile& file) {
  if (file.bytes > kManifestBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        file.path, " has ", file.bytes, " bytes; a manifest has at most ", kManifestBytesMax));
  }
  std::ifstream stream(file.path, std::ios::binary);
  if (!stream) return absl::ErrnoToStatus(errno, absl::StrCat("opening ", file.path));
  return std::string(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
}

absl::StatusOr<RepositoryModel> LoadVersion(const std::string& model, int64_t version,
                                            const std::string& folder) {
  RepositoryModel loaded;
  TW_ASSIGN_OR_RETURN(loaded.files, FilesOf(folder));
  const auto named = [&loaded](absl::string_view name) {
    return std::find_if(loaded.files.begin(), loaded.files.end(),
                        [name](const ModelFile& file) { return file.name == name; });
  };
  if (named(kManifestFile) == loaded.files.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("model folder ", folder, " holds no ", kManifestFile));
  }
  const ModelFile& file = *named(kManifestFile);
  TW_ASSIGN_OR_RETURN(const std::string text, ReadManifest(file));
  TW_ASSIGN_OR_RETURN(v1::ModelManifest manifest, ParseManifest(file.path, text));
  FillManifestDefaults(&manifest);
  auto geometry = CheckManifest(manifest);
  if (!geometry.ok()) return Annotate(geometry.status(), file.path);
  loaded.geometry = *geometry;
  if (manifest.engine() != "builtin" && named(manifest.entry()) == loaded.files.end()) {
    return absl::InvalidArgumentError(absl::StrCat(file.path, ": entry: there is no file '",
                                                   manifest.entry(), "' beside the manifest"));
  }
  if (manifest.outputs(0).merge() == v1::MERGE_KIND_CUT) loaded.merge = MergeKind::kCut;
  TW_ASSIGN_OR_RETURN(*loaded.model.mutable_digest(), DigestModelFolder(folder));
  loaded.model.set_name(absl::StrCat("models/", model, "/versions/", version));
  *loaded.model.mutable_manifest() = std::move(manifest);
  return loaded;
}

// "models/{model}/versions/{version}", each part around {model} optional.
absl::StatusOr<ParsedName> ParseName(absl::string_view name) {
  absl::string_view rest = name;
  absl::ConsumePrefix(&rest, "models/");
  ParsedName parsed;
  const size_t slash = rest.find('/');
  parsed.model = std::string(rest.substr(0, slash));
  bool good = IsModelName(parsed.model);
  if (good && slash != absl::string_view::npos) {
    rest.remove_prefix(slash);
    good = absl::ConsumePrefix(&rest, "/versions/") && ParseVersion(rest, &parsed.version);
  }
  if (good) return parsed;
  return absl::InvalidArgumentError(
      absl::StrCat("'", name.substr(0, 100),
                   "' names no model; say MODEL, models/MODEL or models/MODEL/versions/VERSION"));
}

size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

// Up to three names a typing slip or an omission away.
std::vector<std::string> NearNames(const std::vector<RepositoryModel>& models,
                                   const std::string& wanted) {
  std::vector<std::pair<size_t, std::string>> near;
  for (const RepositoryModel& model : models) {
    const std::string name = ModelOf(model);
    if (!near.empty() && near.back().second == name) continue;
    const size_t distance = EditDistance(name.substr(0, 200), wanted.substr(0, 200));
    const bool contains =
        wanted.size() >= 3 && (absl::StrContains(name, wanted) || absl::StrContains(wanted, name));
    near.emplace_back(contains ? std::min<size_t>(distance, 2) : distance, name);
  }
  const size_t limit = std::max<size_t>(2, wanted.size() / 3);
  near.erase(std::remove_if(near.begin(), near.end(),
                            [limit](const auto& entry) { return entry.first > limit; }),
             near.end());
  std::sort(near.begin(), near.end());
  std::vector<std::string> names;
  for (size_t i = 0; i < near.size() && i < 3; ++i) names.push_back(near[i].second);
  return names;
}

}  // namespace

absl::StatusOr<ModelRepository> ModelRepository::Load(const std::string& root) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(root, error);
  ModelRepository repository;
  auto model_folders = Folders(absolute);
  if (!model_folders.ok()) return Annotate(model_folders.status(), "model repository");
  for (const auto& folder : *model_folders) {
    const std::string name = folder.filename().string();
    if (!IsModelName(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat("model repository: folder ", folder.string(),
                       " is no model name; use letters, digits, '-', '_' and '.'"));
    }
    TW_ASSIGN_OR_RETURN(const auto version_folders, Folders(folder));
    if (version_folders.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("model repository: ", folder.string(),
                                                     " holds no version folder such as 1"));
    }
    for (const auto& version_folder : version_folders) {
      int64_t version = 0;
      if (!ParseVersion(version_folder.filename().string(), &version)) {
        return absl::InvalidArgumentError(absl::StrCat("model repository: folder ",
                                                       version_folder.string(),
                                                       " is no version; versions are 1, 2, 3 …"));
      }
      if (repository.models_.size() == kModelsMax) {
        return absl::ResourceExhaustedError(absl::StrCat(
            "model repository ", root, " holds more than ", kModelsMax, " model versions"));
      }
      TW_ASSIGN_OR_RETURN(RepositoryModel model,
                          LoadVersion(name, version, version_folder.string()));
      repository.models_.push_back(std::move(model));
    }
  }
  std::sort(repository.models_.begin(), repository.models_.end(),
            [](const RepositoryModel& a, const RepositoryModel& b) {
              const std::string name_a = ModelOf(a);
              const std::string name_b = ModelOf(b);
              return name_a != name_b ? name_a < name_b : VersionOf(a) > VersionOf(b);
            });
  return repository;
}

absl::StatusOr<const RepositoryModel*> ModelRepository::Find(absl::string_view name) const {
  TW_ASSIGN_OR_RETURN(const ParsedName wanted, ParseName(name));
  std::vector<std::string> versions;
  for (const RepositoryModel& model : models_) {
    if (ModelOf(model) != wanted.model) continue;
    if (wanted.version == 0 || VersionOf(model) == wanted.version) return &model;
    versions.push_back(absl::StrCat(VersionOf(model)));
  }
  if (!versions.empty()) {
    return absl::NotFoundError(absl::StrCat("model '", wanted.model, "' has no version ",
                                            wanted.version, "; it has ",
                                            absl::StrJoin(versions, ", ")));
  }
  const std::vector<std::string> near = NearNames(models_, wanted.model);
  return absl::NotFoundError(absl::StrCat(
      "there is no model '", wanted.model, "'",
      near.empty() ? "; 'tilewright models list' shows all"
                   : absl::StrCat("; did you mean ", absl::StrJoin(near, " or "), "?")));
}

absl::StatusOr<const RepositoryModel*> ModelRepository::FindByDigest(
    absl::string_view digest) const {
  for (const RepositoryModel& model : models_) {
    if (model.model.digest() == digest) return &model;
  }
  return absl::NotFoundError(
      absl::StrCat("no model has the digest ", digest.substr(0, 64),
                   "; its files may have changed since the coordinator started"));
}

}  // namespace tilewright
