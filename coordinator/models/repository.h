// The model repository: `<root>/<model>/<version>/manifest.textproto` and files beside it, laid out
// like Triton's. Immutable after loading, so thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_MODELS_REPOSITORY_H_
#define TILEWRIGHT_COORDINATOR_MODELS_REPOSITORY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/plan/stage_plan.h"
#include "tilewright/v1/model_service.pb.h"

namespace tilewright {

struct ModelFile {
  std::string name;  // within the version's folder
  std::string path;  // absolute
  int64_t bytes = 0;
};

struct RepositoryModel {
  v1::Model model;               // name, digest, manifest
  std::vector<ModelFile> files;  // ordered by name, manifest.textproto included
  ModelGeometry geometry;        // checked, defaults filled in
  MergeKind merge = MergeKind::kBlend;
};

class ModelRepository {
 public:
  // Reads every manifest and digests every file. NOT_FOUND without such a folder; INVALID_ARGUMENT
  // naming file and line or field where a manifest is wrong, or a folder whose name is no model's
  // or version's. Files beside the model folders and names that begin with a dot are left alone. A
  // repository without models is valid.
  static absl::StatusOr<ModelRepository> Load(const std::string& root);

  // Accepts "lanczos4x", "models/lanczos4x" and "models/lanczos4x/versions/1"; without a version
  // the highest. NOT_FOUND names near matches. The pointer lives as long as the repository.
  absl::StatusOr<const RepositoryModel*> Find(absl::string_view name) const;
  absl::StatusOr<const RepositoryModel*> FindByDigest(absl::string_view digest) const;
  // By name, highest version first.
  const std::vector<RepositoryModel>& models() const { return models_; }

 private:
  std::vector<RepositoryModel> models_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_MODELS_REPOSITORY_H_
