#include "worker/engine/testnets.h"

#include <torch/script.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "proto/base/status_macros.h"
#include "proto/wire/noise.h"
#include "worker/engine/resample.h"

namespace tilewright {
namespace {

// Normal deviates by adding twelve uniform ones: plain sums, so the same bits everywhere.
class Deviates {
 public:
  explicit Deviates(uint64_t seed) : random_(seed) {}
  float Next(double deviation) {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(random_.Next() >> 11) * 0x1p-53;
    return static_cast<float>(sum * deviation);
  }
  torch::Tensor Tensor(std::vector<int64_t> sizes, double deviation) {
    torch::Tensor tensor = torch::empty(sizes);
    float* data = tensor.data_ptr<float>();
    for (int64_t i = 0; i < tensor.numel(); ++i) data[i] = Next(deviation);
    return tensor;
  }

 private:
  SplitMix64 random_;
};

void AddWeight(torch::jit::Module* module, const std::string& name, const torch::Tensor& weight) {
  module->register_parameter(name, weight, /*is_buffer=*/false);
}

constexpr double kPreluSlope = 0.25;

torch::jit::Module Srvgg(int body, uint64_t seed) {
  constexpr int64_t kFeatures = 64;
  constexpr int64_t kOut = 3 * 4 * 4;
  Deviates random(seed);
  torch::jit::Module module("Srvgg");
  std::string code = "def forward(self, x):\n    y = x\n";
  const int last = body + 1;
  for (int i = 0; i <= last; ++i) {
    const int64_t in = i == 0 ? 3 : kFeatures;
    const int64_t out = i == last ? kOut : kFeatures;
    // He: the energy of the signal stays the same from layer to layer, so the whole radius is felt.
    const double gain = std::sqrt(2.0 / (1.0 + kPreluSlope * kPreluSlope));
    const double deviation = gain / std::sqrt(static_cast<double>(9 * in));
    AddWeight(&module, absl::StrCat("w", i), random.Tensor({out, in, 3, 3}, deviation));
    AddWeight(&module, absl::StrCat("b", i), random.Tensor({out}, 0.01));
    absl::SubstituteAndAppend(&code,
                              "    y = torch.conv2d(y, self.w$0, self.b$0, [1, 1], [1, 1])\n", i);
    if (i == last) break;
    AddWeight(&module, absl::StrCat("a", i),
              torch::full({kFeatures}, static_cast<float>(kPreluSlope)));
    absl::SubstituteAndAppend(&code, "    y = torch.prelu(y, self.a$0)\n", i);
  }
  absl::StrAppend(&code,
                  "    return torch.pixel_shuffle(y + torch.repeat_interleave(x, 16, 1), 4)\n");
  module.define(code);

  // The last convolution is scaled to a residual of about 0.1; two digits, so that no machine's
  // rounding shows.
  const c10::InferenceMode inference;
  torch::Tensor noise = torch::empty({1, 3, 48, 48});
  SplitMix64 values(seed + 1);
  for (int64_t i = 0; i < noise.numel(); ++i) {
    noise.data_ptr<float>()[i] = static_cast<float>(values.Next() % 256) / 255.0f;
  }
  const torch::Tensor nearest = torch::pixel_shuffle(torch::repeat_interleave(noise, 16, 1), 4);
  const double rms =
      (module.forward({noise}).toTensor() - nearest).square().mean().sqrt().item<double>();
  const double factor = std::round(10.0 / rms) / 100;
  for (const char* name : {"w", "b"}) {
    module.attr(absl::StrCat(name, last)).toTensor().mul_(factor);
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

absl::Status MakeFolder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("cannot make the folder ", folder.string(), ": ", error.message()));
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

struct Network {
  std::string name;
  std::string description;
  torch::jit::Module module;
  int scale = 1;
  int halo = 0;
  int channels = 3;
  int tile = 128;
  double flops = 0;  // per input pixel
};

absl::Status WriteNetwork(const std::string& root, const Network& network) {
  const std::filesystem::path folder = std::filesystem::path(root) / network.name / "1";
  TW_RETURN_IF_ERROR(MakeFolder(folder));
  TW_RETURN_IF_ERROR(Save(network.module, (folder / "model.pt").string()));
  const std::string path = (folder / "manifest.textproto").string();
  std::ofstream manifest(path, std::ios::trunc);
  manifest << absl::Substitute(
      "description: \"$0\"\nengine: \"torch\"\nentry: \"model.pt\"\nscale_p: $1\nhalo: $2\n"
      "default_tile: $3\nflops_per_pixel: $4\nexactness: EXACTNESS_KIND_EXACT\n"
      "inputs { name: \"image\" channels: $5 }\noutputs { name: \"image\" channels: $5 }\n",
      network.description, network.scale, network.halo, network.tile, network.flops,
      network.channels);
  manifest.close();
  if (manifest) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("cannot write ", path));
}

Network SrvggNetwork(int body) {
  const double flops = 2.0 * 9 * (3 * 64 + body * 64 * 64 + 64 * 48);
  return {absl::StrCat("srvgg", body, "x4"),
          absl::StrCat("SRVGG-class upscaler by 4, ", body, " body convolutions, random weights."),
          Srvgg(body, /*seed=*/static_cast<uint64_t>(body)),
          4,
          body + 2,
          3,
          256,
          flops};
}

absl::Status WriteAll(const std::string& root, const std::vector<int>& reaches) {
  for (int body : {16, 32}) TW_RETURN_IF_ERROR(WriteNetwork(root, SrvggNetwork(body)));
  for (int radius : reaches) {
    if (radius < 1 || radius > 256) {
      return absl::InvalidArgumentError(
          absl::StrCat("a reach of ", radius, " pixels is not between 1 and 256"));
    }
    TW_RETURN_IF_ERROR(WriteNetwork(
        root, {absl::StrCat("reach-", radius),
               absl::StrCat("Adds an eighth of the four pixels ", radius, " away diagonally."),
               Reach(radius), 1, radius, 3, std::max(128, 4 * radius), 36}));
  }
  TW_RETURN_IF_ERROR(WriteNetwork(
      root, {"grey-sharpen", "Sharpens one channel.", GreySharpen(), 1, 1, 1, 128, 18}));
  TW_RETURN_IF_ERROR(WriteNetwork(root, {"nan", "Gives NaN wherever the tile is not constant.",
                                         Defined("Nan",
                                                 "def forward(self, x):\n"
                                                 "    return x + torch.sqrt(x.min() - x.max())\n"),
                                         1, 0, 3, 128, 1}));
  TW_RETURN_IF_ERROR(WriteNetwork(
      root, {"wrong-shape", "Gives half the size that this manifest promises.",
             Defined("WrongShape", "def forward(self, x):\n    return x[:, :, ::2, ::2]\n"), 1, 0,
             3, 128, 1}));
  TW_RETURN_IF_ERROR(
      WriteNetwork(root, {"raises", "Raises an exception.",
                          Defined("Raises",
                                  "def forward(self, x):\n"
                                  "    assert x.size(0) == 0, 'this network always fails'\n"
                                  "    return x\n"),
                          1, 0, 3, 128, 1}));
  return WriteNetwork(root, {"hungry", "Allocates more memory than there is.",
                             Defined("Hungry",
                                     "def forward(self, x):\n"
                                     "    y = torch.zeros([1 << 30, x.size(2) << 13])\n"
                                     "    return x + y.sum()\n"),
                             1, 0, 3, 128, 1});
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
