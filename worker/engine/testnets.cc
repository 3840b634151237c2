#include "worker/engine/testnets.h"

#include <torch/script.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "proto/base/status_macros.h"
#include "worker/engine/resample.h"
#include "worker/engine/srvgg_weights.h"
#include "worker/engine/testnet_package.h"

namespace tilewright {
namespace {

void AddWeight(torch::jit::Module* module, const std::string& name, const torch::Tensor& weight) {
  module->register_parameter(name, weight, /*is_buffer=*/false);
}

torch::Tensor TensorOf(const std::vector<float>& values, std::vector<int64_t> sizes) {
  return torch::tensor(values).reshape(sizes);
}

torch::jit::Module Srvgg(int body, uint64_t seed) {
  torch::jit::Module module("Srvgg");
  std::string code = "def forward(self, x):\n    y = x\n";
  const std::vector<Convolution> layers = SrvggWeights(body, seed);
  const size_t last = layers.size() - 1;
  for (size_t i = 0; i <= last; ++i) {
    const Convolution& layer = layers[i];
    AddWeight(&module, absl::StrCat("w", i), TensorOf(layer.weight, {layer.out, layer.in, 3, 3}));
    AddWeight(&module, absl::StrCat("b", i), TensorOf(layer.bias, {layer.out}));
    absl::SubstituteAndAppend(&code,
                              "    y = torch.conv2d(y, self.w$0, self.b$0, [1, 1], [1, 1])\n", i);
    if (i == last) break;
    AddWeight(&module, absl::StrCat("a", i), torch::full({layer.out}, kSrvggSlope));
    absl::SubstituteAndAppend(&code, "    y = torch.prelu(y, self.a$0)\n", i);
  }
  absl::StrAppend(&code,
                  "    return torch.pixel_shuffle(y + torch.repeat_interleave(x, 16, 1), 4)\n");
  module.define(code);

  const c10::InferenceMode inference;
  const torch::Tensor noise =
      TensorOf(SrvggNoise(seed + 1), {1, 3, kSrvggNoiseSide, kSrvggNoiseSide});
  const torch::Tensor nearest = torch::pixel_shuffle(torch::repeat_interleave(noise, 16, 1), 4);
  const double rms =
      (module.forward({noise}).toTensor() - nearest).square().mean().sqrt().item<double>();
  for (const char* name : {"w", "b"}) {
    module.attr(absl::StrCat(name, last)).toTensor().mul_(SrvggFactor(rms));
  }
  return module;
}

torch::jit::Module Defined(const std::string& name, const std::string& code) {
  torch::jit::Module module(name);
  module.define(code);
  return module;
}

torch::jit::Module Reach(int radius) {
  return Defined("Reach", absl::Substitute(R"(
def forward(self, x):
    p = torch.constant_pad_nd(x, [$0, $0, $0, $0], 0.0)
    h = x.size(2)
    w = x.size(3)
    corners = p[:, :, :h, :w] + p[:, :, $1:, $1:] + p[:, :, :h, $1:] + p[:, :, $1:, :w]
    return 0.5 * x + 0.125 * corners
)",
                                           radius, 2 * radius));
}

torch::jit::Module GreySharpen() {
  torch::jit::Module module("GreySharpen");
  torch::Tensor weight = torch::full({1, 1, 3, 3}, -0.125f);
  weight[0][0][1][1] = 2.0f;
  AddWeight(&module, "w", weight);
  module.define(R"(
def forward(self, x):
    return torch.conv2d(x, self.w, None, [1, 1], [1, 1])
)");
  return module;
}

// Weights that are no two alike, of the order of 1 / inputs.
torch::Tensor Ramp(int out, int in, int side) {
  const torch::Tensor ramp = torch::arange(out * in * side * side, torch::kFloat32);
  return (torch::sin(ramp * 0.7f) / static_cast<float>(in * side * side))
      .reshape({out, in, side, side});
}

torch::jit::Module Encode8() {
  torch::jit::Module module("Encode8");
  AddWeight(&module, "w", 8 * Ramp(4, 3, 8));
  module.define(R"(
def forward(self, x):
    return torch.conv2d(x, self.w, None, [8, 8])
)");
  return module;
}

torch::jit::Module Decode8() {
  torch::jit::Module module("Decode8");
  AddWeight(&module, "w", 20 * Ramp(192, 4, 3));
  module.define(R"(
def forward(self, x):
    return torch.pixel_shuffle(torch.conv2d(x, self.w, None, [1, 1], [1, 1]), 8)
)");
  return module;
}

torch::jit::Module Features12() {
  torch::jit::Module module("Features12");
  AddWeight(&module, "w", Ramp(12, 3, 3));
  module.define(R"(
def forward(self, x):
    return torch.conv2d(x, self.w, None, [1, 1], [1, 1])
)");
  return module;
}

torch::jit::Module Fold12() {
  torch::jit::Module module("Fold12");
  AddWeight(&module, "w", Ramp(3, 12, 1));
  module.define(R"(
def forward(self, x):
    return torch.conv2d(x, self.w)
)");
  return module;
}

torch::jit::Module Segment() {
  return Defined("Segment", R"(
def forward(self, x):
    y = torch.avg_pool2d(x.mean(1, True), 5, 1, 2)
    return (y > 0.45).to(x.dtype) + (y > 0.55).to(x.dtype)
)");
}

torch::jit::Module FillMasked() {
  return Defined("FillMasked", R"(
def forward(self, image, mask):
    return image * (1.0 - mask) + torch.avg_pool2d(image, 5, 1, 2) * mask
)");
}

torch::jit::Module MixPrevious() {
  return Defined("MixPrevious", R"(
def forward(self, image, previous):
    return 0.6 * image + 0.4 * previous
)");
}

torch::jit::Module Logits5() {
  torch::jit::Module module("Logits5");
  AddWeight(&module, "w", Ramp(5, 3, 9));
  module.define(R"(
def forward(self, x):
    return 40.0 * torch.conv2d(x - 0.5, self.w, None, [1, 1], [4, 4])
)");
  return module;
}

torch::jit::Module Lanczos4x() {
  const PhaseFilter filter = LanczosFilter(4);
  torch::Tensor taps = torch::empty({4, 1, 1, 2 * filter.reach + 1});
  for (int64_t r = 0; r < 4; ++r) {
    for (int64_t k = 0; k < taps.size(3); ++k) {
      taps[r][0][0][k] = filter.taps[static_cast<size_t>(r)][static_cast<size_t>(k)];
    }
  }
  torch::jit::Module module("Lanczos4x");
  AddWeight(&module, "across", taps);
  AddWeight(&module, "down", taps.transpose(2, 3).contiguous());
  // Channels become images of their own; each of the four results of a convolution is one phase.
  module.define(R"(
def forward(self, x):
    n = x.size(0)
    c = x.size(1)
    h = x.size(2)
    w = x.size(3)
    p = torch.replication_pad2d(x, [3, 3, 3, 3]).reshape([n * c, 1, h + 6, w + 6])
    y = torch.conv2d(p, self.across).permute([0, 2, 3, 1]).reshape([n * c, 1, h + 6, 4 * w])
    z = torch.conv2d(y, self.down).permute([0, 2, 1, 3])
    return z.reshape([n, c, 4 * h, 4 * w])
)");
  return module;
}

absl::Status Save(const torch::jit::Module& module, const std::string& path) {
  try {
    module.save(path);
    return absl::OkStatus();
  } catch (const c10::Error& e) {
    return absl::UnavailableError(
        absl::StrCat("cannot write ", path, ": ", e.what_without_backtrace()));
  } catch (const std::exception& e) {
    return absl::UnavailableError(absl::StrCat("cannot write ", path, ": ", e.what()));
  }
}

absl::Status WriteNetwork(const std::string& root, const TestnetPackage& package,
                          const torch::jit::Module& module, bool halves = false) {
  TW_ASSIGN_OR_RETURN(const std::string folder,
                      WritePackage(root, package, "torch", "model.pt", halves));
  return Save(module, absl::StrCat(folder, "/model.pt"));
}

TestnetPackage Flawed(const std::string& name, const std::string& description) {
  return {.name = name, .description = description, .flops = 1};
}

absl::Status WriteAll(const std::string& root, const std::vector<int>& reaches) {
  for (int body : {2, 16, 32}) {
    TW_RETURN_IF_ERROR(WriteNetwork(root, SrvggPackage(body, ""),
                                    Srvgg(body, /*seed=*/static_cast<uint64_t>(body)),
                                    /*halves=*/true));
  }
  for (int radius : reaches) {
    TW_ASSIGN_OR_RETURN(const TestnetPackage package, ReachPackage(radius, ""));
    TW_RETURN_IF_ERROR(WriteNetwork(root, package, Reach(radius)));
  }
  TW_RETURN_IF_ERROR(WriteNetwork(root,
                                  {.name = "grey-sharpen",
                                   .description = "Sharpens one channel.",
                                   .halo = 1,
                                   .channels = 1,
                                   .flops = 18},
                                  GreySharpen()));
  TW_RETURN_IF_ERROR(WriteNetwork(root,
                                  {.name = "encode-8",
                                   .description = "Makes 4 values of each 8x8 pixels.",
                                   .reduction = 8,
                                   .channels_out = 4,
                                   .flops = 24},
                                  Encode8()));
  TW_RETURN_IF_ERROR(
      WriteNetwork(root,
                   {.name = "decode-8",
                    .description = "Makes 8x8 pixels of 4 values and their neighbours.",
                    .scale = 8,
                    .halo = 1,
                    .channels = 4,
                    .channels_out = 3,
                    .tile = 32,
                    .flops = 13824},
                   Decode8()));
  TW_RETURN_IF_ERROR(WriteNetwork(root,
                                  {.name = "features-12",
                                   .description = "Makes 12 features of each pixel.",
                                   .halo = 1,
                                   .channels_out = 12,
                                   .flops = 648},
                                  Features12()));
  TW_RETURN_IF_ERROR(WriteNetwork(root,
                                  {.name = "fold-12",
                                   .description = "Makes a colour of 12 features.",
                                   .channels = 12,
                                   .channels_out = 3,
                                   .flops = 72},
                                  Fold12()));
  TW_RETURN_IF_ERROR(WriteNetwork(root,
                                  {.name = "segment",
                                   .description = "Labels dark, middling and bright pixels.",
                                   .halo = 2,
                                   .channels_out = 1,
                                   .flops = 50,
                                   .labels = true},
                                  Segment()));
  TW_RETURN_IF_ERROR(WriteNetwork(root,
                                  {.name = "logits-5",
                                   .description = "Makes 5 logits of each pixel.",
                                   .halo = 4,
                                   .channels_out = 5,
                                   .flops = 2430,
                                   .logits = true},
                                  Logits5()));
  TW_RETURN_IF_ERROR(WriteNetwork(root, FillMaskedPackage(""), FillMasked()));
  TW_RETURN_IF_ERROR(WriteNetwork(root, MixPreviousPackage(""), MixPrevious()));
  TW_RETURN_IF_ERROR(WriteNetwork(root,
                                  Flawed("nan", "Gives NaN wherever the tile is not constant."),
                                  Defined("Nan",
                                          "def forward(self, x):\n"
                                          "    return x + torch.sqrt(x.min() - x.max())\n")));
  TW_RETURN_IF_ERROR(
      WriteNetwork(root, Flawed("wrong-shape", "Gives half the size that this manifest promises."),
                   Defined("WrongShape", "def forward(self, x):\n    return x[:, :, ::2, ::2]\n")));
  TW_RETURN_IF_ERROR(WriteNetwork(root, Flawed("raises", "Raises an exception."),
                                  Defined("Raises",
                                          "def forward(self, x):\n"
                                          "    assert x.size(0) == 0, 'this network always fails'\n"
                                          "    return x\n")));
  return WriteNetwork(root, Flawed("hungry", "Allocates more memory than there is."),
                      Defined("Hungry",
                              "def forward(self, x):\n"
                              "    y = torch.zeros([1 << 30, x.size(2) << 13])\n"
                              "    return x + y.sum()\n"));
}

}  // namespace

absl::Status WriteTestnets(const std::string& root, const std::vector<int>& reaches) {
  try {
    return WriteAll(root, reaches);
  } catch (const std::exception& e) {
    return absl::InternalError(absl::StrCat("building the test networks: ", e.what()));
  }
}

absl::Status WriteLanczos4x(const std::string& path) {
  try {
    return Save(Lanczos4x(), path);
  } catch (const std::exception& e) {
    return absl::InternalError(absl::StrCat("building lanczos4x-torch: ", e.what()));
  }
}

}  // namespace tilewright
