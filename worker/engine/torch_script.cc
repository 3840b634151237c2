#include "worker/engine/torch_script.h"

#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/runtime/interpreter.h>
#include <torch/script.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "worker/engine/torch_guard.h"

namespace tilewright {
namespace {

uint64_t WeightBytes(const torch::jit::Module& module) {
  uint64_t bytes = 0;
  for (const at::Tensor& weight : module.parameters()) bytes += weight.nbytes();
  for (const at::Tensor& weight : module.buffers()) bytes += weight.nbytes();
  return bytes;
}

}  // namespace

void ConfigureTorchScript() {
  // Without it the interpreter turns every exception into one type, and the cause is lost.
  FLAGS_torch_jit_enable_rethrow_caught_exception = true;
}

absl::StatusOr<TorchNetwork> LoadTorchScript(const std::string& path, c10::Device device,
                                             c10::ScalarType type, bool freeze,
                                             const std::function<void(std::string)>& progress) {
  TorchNetwork network;
  network.name = std::filesystem::path(path).filename().string();
  network.device = device;
  network.type = type;
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR,
                       absl::StrCat("cannot open the model file ", path));
  }
  if (progress) progress(absl::StrCat("loading ", network.name));
  torch::jit::Module module;
  TW_RETURN_IF_ERROR(Guarded(absl::StrCat("loading ", path), [&] {
    module = torch::jit::load(stream, device);
    module.eval();
    if (type != c10::kFloat) module.to(type);
    network.weight_bytes = WeightBytes(module);
    if (!freeze) return;
    module = torch::jit::freeze(module);
    if (progress) progress(absl::StrCat("optimising ", network.name));
    if (device.is_cpu() && type == c10::kFloat) module = torch::jit::optimize_for_inference(module);
  }));
  network.forward = [module = std::move(module)](const std::vector<at::Tensor>& inputs) mutable {
    // The graph is optimised once, when loaded. Profiling runs would compile it again, to other
    // bits perhaps.
    const torch::jit::GraphOptimizerEnabledGuard as_loaded(false);
    return module.forward({inputs.begin(), inputs.end()});
  };
  return network;
}

}  // namespace tilewright
