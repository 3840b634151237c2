#include "worker/engine/torch_package.h"

#include <ATen/Functions.h>
#include <dlfcn.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "worker/engine/program_module.h"
#include "worker/engine/torch_guard.h"

namespace tilewright {
namespace {

using torch::inductor::AOTIModelPackageLoader;

constexpr char kModel[] = "model";  // the name that torch._inductor gives by default

// Every package's library needs libtorch.so, which holds nothing and needs every library of CUDA's.
// Ours has its soname, holds nothing and needs nothing; once it is there the loader looks no
// further.
absl::Status OpenLibTorchStandIn() {
  static const absl::StatusOr<void*> opened =
      OpenProgramModule("libtilewright_libtorch.so", RTLD_NOW | RTLD_GLOBAL);
  if (opened.ok()) return absl::OkStatus();
  return EngineError(
      v1::FAILURE_CAUSE_REFUSED,
      absl::StrCat("AOTInductor packages cannot be loaded here: ", opened.status().message()));
}

}  // namespace

void ConfigureTorchPackages() { setenv("AOTI_RUNTIME_CHECK_INPUTS", "1", /*overwrite=*/1); }

absl::StatusOr<TorchNetwork> LoadTorchPackage(const std::string& path, c10::Device device,
                                              c10::ScalarType type, const PackageKey& here,
                                              const std::function<void(std::string)>& progress) {
  TorchNetwork network;
  network.name = std::filesystem::path(path).filename().string();
  network.device = device;
  network.type = type;
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR,
                       absl::StrCat("cannot open the model file ", path));
  }
  TW_RETURN_IF_ERROR(OpenLibTorchStandIn());
  if (progress) progress(absl::StrCat("loading ", network.name));
  const std::string doing = absl::StrCat("loading ", path);
  PackageKey key;
  TW_RETURN_IF_ERROR(Guarded(doing, [&] {
    key = KeyOfPackage(AOTIModelPackageLoader::load_metadata_from_package(path, kModel));
  }));
  TW_RETURN_IF_ERROR(CheckPackageKey(network.name, key, here));
  std::shared_ptr<AOTIModelPackageLoader> package;
  TW_RETURN_IF_ERROR(Guarded(doing, [&] {
    package = std::make_shared<AOTIModelPackageLoader>(path, kModel, /*run_single_threaded=*/true,
                                                       /*num_runners=*/1, device.index());
    for (const auto& [name, weight] :
         package->get_runner()->extract_constants_map(/*use_inactive=*/false)) {
      network.weight_bytes += weight.nbytes();
    }
  }));
  network.forward = [package =
                         std::move(package)](const std::vector<at::Tensor>& inputs) -> c10::IValue {
    // A size that may vary cannot be 1, so a package has a batch of exactly that.
    std::vector<at::Tensor> tiles;
    for (int64_t i = 0; i < inputs[0].size(0); ++i) {
      std::vector<at::Tensor> tile;
      for (const at::Tensor& batch : inputs) tile.push_back(batch.narrow(0, i, 1));
      std::vector<at::Tensor> results = package->run(tile);
      if (results.size() != 1) return results;
      tiles.push_back(std::move(results[0]));
    }
    return tiles.size() == 1 ? tiles[0] : at::cat(tiles);
  };
  return network;
}

}  // namespace tilewright
