// LibTorch as an engine: the process's settings, the device, and which file is loaded how.

#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#include <sys/utsname.h>
#include <torch/cuda.h>
#include <torch/version.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "worker/device/cpu.h"
#include "worker/device/cuda_driver.h"
#include "worker/device/device_probe.h"
#include "worker/engine/cpu_environment.h"
#include "worker/engine/dtype_probe.h"
#include "worker/engine/engine.h"
#include "worker/engine/memory_book.h"
#include "worker/engine/memory_model.h"
#include "worker/engine/memory_trial.h"
#include "worker/engine/package_key.h"
#include "worker/engine/program_module.h"
#include "worker/engine/stage_output.h"
#include "worker/engine/torch_allocator.h"
#include "worker/engine/torch_graph.h"
#include "worker/engine/torch_guard.h"
#include "worker/engine/torch_memory.h"
#include "worker/engine/torch_package.h"
#include "worker/engine/torch_script.h"
#include "worker/engine/torch_stage.h"

namespace tilewright {
namespace {

// Settings that hold for the process; LibTorch refuses some of them when they come twice.
void ConfigureProcessOnce() {
  static std::once_flag once;
  std::call_once(once, [] {
    at::set_num_interop_threads(1);
    ConfigureTorchScript();
    ConfigureTorchPackages();
    InstallTypedCpuAllocator();
    auto& context = at::globalContext();
    context.setAllowTF32CuDNN(false);
    context.setAllowTF32CuBLAS(false);
    context.setBenchmarkCuDNN(false);  // it would choose kernels, and so bits, by the clock
    context.setDeterministicCuDNN(true);
  });
}

// Where the engine computes.
struct TorchDevice {
  c10::Device device{c10::kCPU};
  std::string name;
  // All work goes to it: a graph cannot be recorded on a device's default stream, and what one
  // stream frees serves the next run on it. Absent for a CPU.
  std::optional<c10::Stream> stream;
};

class TorchEngine : public Engine {
 public:
  // The recorder is null where none is wanted, an error where it cannot be had.
  TorchEngine(TorchDevice device, PackageKey package_key,
              absl::StatusOr<std::unique_ptr<GraphRecorder>> recorder, const TorchOptions& options)
      : device_(device.device),
        device_name_(std::move(device.name)),
        stream_(device.stream),
        package_key_(std::move(package_key)),
        recorder_(std::move(recorder)),
        options_(options),
        memory_(options.measurements) {}

  std::string name() const override { return "torch"; }

  // Not in it: the number of threads and the place in a batch, which were measured not to change
  // bits.
  std::string environment_key() const override {
    if (device_.is_cuda()) {
      return absl::StrCat("torch/", TORCH_VERSION, " cuda [", device_name_, "] ", Form(),
                          " ieee deterministic");
    }
    return absl::StrCat("torch/", TORCH_VERSION, " cpu ", at::get_cpu_capability(), " ",
                        CpuEnvironment(), " ", Form());
  }

  EngineDevice ExamineDevice() override {
    EngineDevice device;
    device.kind = device_.is_cuda() ? "cuda" : "cpu";
    device.name = device_name_;
    const c10::OptionalStreamGuard on_stream(stream_);
    const absl::Status status = Guarded("examining the device", [&] {
      if (device_.is_cuda()) {
        const auto [free, total] =
            at::getDeviceAllocator(device_.type())->getMemoryInfo(device_.index());
        device.memory_free_bytes = free;
        device.memory_total_bytes = total;
      }
      device.flops = MeasureConvolution();
    });
    if (!status.ok()) device.flops = 0;
    device.dtypes = DtypesThatWork([this](const std::string& dtype) { return Convolve(dtype); });
    return device;
  }

  absl::StatusOr<std::unique_ptr<Stage>> Load(
      const LocalModel& model, const StageKey& key,
      const std::function<void(std::string)>& progress) override {
    TW_ASSIGN_OR_RETURN(const c10::ScalarType type, TorchTypeOf(key.dtype));
    TW_RETURN_IF_ERROR(CheckDtypeAllowed(model.manifest, key));
    TW_ASSIGN_OR_RETURN(const StageOutput output, OutputOf(model.manifest, key, name()));
    const std::string path = absl::StrCat(model.folder, "/", model.manifest.entry());
    const c10::OptionalStreamGuard on_stream(stream_);
    TW_ASSIGN_OR_RETURN(TorchNetwork network,
                        absl::EndsWith(path, ".pt2")
                            ? LoadTorchPackage(path, device_, type, package_key_, progress)
                            : LoadTorchScript(path, device_, type, options_.freeze, progress));
    network.stream = stream_;
    network.input_channels = InputChannelsOf(model.manifest, key);
    const std::optional<MemoryModel> memory = memory_.Of(
        key, network.name,
        [&] { return MeasureTorchMemory(network, key.channels, TrialOf(model.manifest, 0)); },
        progress);
    return CreateTorchStage(key, output, std::move(network), memory, GraphsFor(model));
  }

  void DropCaches() override {
    if (device_.is_cpu()) return;  // LibTorch keeps nothing there
    // The caching allocator may hold pieces that no longer fit together. Where even this fails, the
    // attempt that follows says why.
    Guarded("emptying the device's cache", [this] {
      at::getDeviceAllocator(device_.type())->emptyCache();
    }).IgnoreError();
  }

  uint64_t MemoryFree() override {
    uint64_t free_bytes = 0;
    if (device_.is_cpu()) return free_bytes;
    // Where it fails nobody knows; whatever ails the device, the next run says.
    Guarded("asking for the device's memory", [&] {
      free_bytes = at::getDeviceAllocator(device_.type())->getMemoryInfo(device_.index()).first;
    }).IgnoreError();
    return free_bytes;
  }

 private:
  // What was done to networks.
  const char* Form() const {
    if (!options_.freeze) return "plain";
    return device_.is_cpu() ? "frozen optimized" : "frozen";
  }

  GraphChoice GraphsFor(const LocalModel& model) const {
    if (device_.is_cpu() || !model.manifest.cuda_graph()) return std::nullopt;
    if (!recorder_.ok()) return recorder_.status();
    if (*recorder_ == nullptr) return std::nullopt;
    return recorder_->get();
  }

  // A convolution of 64 channels on fixed values; the time is the shortest of a few, because others
  // use the processor too.
  absl::StatusOr<DtypeTrial> Convolve(const std::string& dtype) const {
    using Clock = std::chrono::steady_clock;
    TW_ASSIGN_OR_RETURN(const c10::ScalarType type, TorchTypeOf(dtype));
    DtypeTrial trial;
    TW_RETURN_IF_ERROR(Guarded(absl::StrCat("trying ", dtype), [&] {
      const c10::InferenceMode inference;
      const at::Tensor x = at::arange(64 * 32 * 32)
                               .remainder(255)
                               .div(127)
                               .sub(1)
                               .reshape({1, 64, 32, 32})
                               .to(device_, type);
      const at::Tensor weight = at::arange(64 * 64 * 9)
                                    .mul(7)
                                    .remainder(255)
                                    .div(127)
                                    .sub(1)
                                    .reshape({64, 64, 3, 3})
                                    .to(device_, type);
      trial.seconds = HUGE_VAL;
      for (int i = 0; i < 4; ++i) {
        const auto start = Clock::now();
        const at::Tensor y = at::conv2d(x, weight, {}, 1, 1).to(c10::kCPU);
        const std::chrono::duration<double> elapsed = Clock::now() - start;
        trial.seconds = std::min(trial.seconds, elapsed.count());
        const at::Tensor values = y.to(c10::kFloat).contiguous();
        trial.values.assign(values.const_data_ptr<float>(),
                            values.const_data_ptr<float>() + values.numel());
      }
    }));
    return trial;
  }

  // FLOP/s of 3×3 convolutions of 64 channels, as in the networks that this is for.
  double MeasureConvolution() const {
    using Clock = std::chrono::steady_clock;
    const c10::InferenceMode inference;
    const int64_t side = device_.is_cuda() ? 512 : 96;
    at::Tensor x = at::zeros({1, 64, side, side}, device_);
    const at::Tensor weight = at::zeros({64, 64, 3, 3}, device_);
    const double flops_each = 2.0 * 9 * 64 * 64 * static_cast<double>(side * side);
    const auto run = [&] {
      x = at::conv2d(x, weight, {}, 1, 1);
      if (device_.is_cuda()) at::accelerator::synchronizeDevice(device_.index());
    };
    run();  // chooses kernels
    const auto start = Clock::now();
    double flops = 0;
    Clock::duration elapsed{};
    do {
      run();
      flops += flops_each;
      elapsed = Clock::now() - start;
    } while (elapsed < std::chrono::milliseconds(100));
    return flops / std::chrono::duration<double>(elapsed).count();
  }

  const c10::Device device_;
  const std::string device_name_;
  const std::optional<c10::Stream> stream_;
  const PackageKey package_key_;
  const absl::StatusOr<std::unique_ptr<GraphRecorder>> recorder_;  // null: not wanted
  const TorchOptions options_;
  MemoryBook memory_;
};

// "x86_64".
std::string MachineName() {
  utsname name = {};
  return uname(&name) == 0 ? name.machine : "";
}

// Loads LibTorch's CUDA half, which this program is not linked to.
absl::StatusOr<CudaDevice> OpenCuda(int index) {
  TW_ASSIGN_OR_RETURN(const CudaDevice cuda, ExamineCudaDevice(index));
  if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("LibTorch's CUDA libraries do not load (", dlerror(),
                     "); install the full torch wheel, or use --device cpu"));
  }
  int devices = 0;
  const absl::Status status = Guarded("starting CUDA", [&devices] {
    if (at::hasCUDA()) devices = static_cast<int>(torch::cuda::device_count());
  });
  if (!status.ok()) return absl::UnavailableError(status.message());
  if (index >= devices) {
    return absl::UnavailableError(absl::StrCat("LibTorch sees ", devices,
                                               " CUDA devices, so there is no cuda:", index,
                                               "; the driver may be too old for it"));
  }
  return cuda;
}

// Opens the module that records CUDA graphs; LibTorch's CUDA half is loaded.
absl::StatusOr<std::unique_ptr<GraphRecorder>> OpenRecorder() {
  const absl::StatusOr<void*> module = OpenProgramModule(kGraphModule, RTLD_NOW | RTLD_LOCAL);
  if (!module.ok()) {
    return absl::UnavailableError(
        absl::StrCat("what records CUDA graphs does not load (", module.status().message(), ")"));
  }
  void* const open = dlsym(*module, kGraphSymbol);
  if (open == nullptr) {
    return absl::UnavailableError(absl::StrCat(kGraphModule, " has no ", kGraphSymbol));
  }
  return std::unique_ptr<GraphRecorder>(reinterpret_cast<OpenGraphRecorder>(open)());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> CreateTorchEngine(const TorchOptions& options) {
  TW_ASSIGN_OR_RETURN(const DeviceName device, ParseDevice(options.device));
  if (options.threads < 1 || options.threads > 1024) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.threads, " threads asked for; 1 to 1024 are possible"));
  }
  TorchDevice place;
  place.name = CpuName(RealFiles());
  PackageKey package_key;
  package_key.device_kind = device.kind;
  package_key.machine = MachineName();
  package_key.instruction_sets = CpuInstructionSets(RealFiles());
  package_key.torch_version = TORCH_VERSION;
  absl::StatusOr<std::unique_ptr<GraphRecorder>> recorder = nullptr;
  if (device.kind == "cuda") {
    TW_ASSIGN_OR_RETURN(const CudaDevice cuda, OpenCuda(device.index));
    place.name = cuda.name;
    package_key.compute_capability = cuda.compute_capability;
    place.device = c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(device.index));
    TW_RETURN_IF_ERROR(Guarded("opening a stream", [&place] {
      const c10::impl::VirtualGuardImpl streams(place.device.type());
      place.stream = streams.getStreamFromGlobalPool(place.device);
    }));
    if (options.cuda_graphs) recorder = OpenRecorder();
  }
  TW_RETURN_IF_ERROR(Guarded("configuring LibTorch", [&options] {
    ConfigureProcessOnce();
    at::set_num_threads(options.threads);
  }));
  return std::make_unique<TorchEngine>(std::move(place), std::move(package_key),
                                       std::move(recorder), options);
}

}  // namespace tilewright
