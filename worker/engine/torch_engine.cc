// TorchScript on LibTorch, fp32, on a CPU or a CUDA device. LibTorch's types and exceptions end in
// this file.

#include <ATen/DeviceAccelerator.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <c10/core/CPUAllocator.h>
#include <dlfcn.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/runtime/interpreter.h>
#include <torch/cuda.h>
#include <torch/script.h>
#include <torch/version.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "worker/device/cpu.h"
#include "worker/device/cuda_driver.h"
#include "worker/device/device_probe.h"
#include "worker/engine/engine.h"

namespace tilewright {
namespace {

// The first lines of an exception's text: what happened, without LibTorch's stack.
std::string Brief(const std::string& text) {
  constexpr size_t kLength = 600;
  std::string brief = text.substr(0, kLength);
  while (!brief.empty() && brief.back() == '\n') brief.pop_back();
  return brief;
}

// CUDA errors after which the process must be ended, and the cause each stands for.
v1::FailureCause CauseOfCudaError(int code) {
  switch (code) {
    case 702:  // launch timeout
      return v1::FAILURE_CAUSE_LAUNCH_TIMEOUT;
    case 700:  // illegal address
    case 710:  // assertion in a kernel
    case 714:  // hardware stack error
    case 718:  // invalid program counter
    case 719:  // launch failure
      return v1::FAILURE_CAUSE_DEVICE_LOST;
    default:
      return v1::FAILURE_CAUSE_MODEL_ERROR;
  }
}

// Calls `work` and turns what it throws into a status with a cause. When this returns, the
// exception and the tensors that it kept alive are gone.
template <typename Work>
absl::Status Guarded(const std::string& doing, const Work& work) {
  try {
    work();
    return absl::OkStatus();
  } catch (const c10::OutOfMemoryError& e) {
    return EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY,
                       absl::StrCat(doing, ": ", Brief(e.what_without_backtrace())));
  } catch (const c10::AcceleratorError& e) {
    return EngineError(CauseOfCudaError(e.get_error_code()),
                       absl::StrCat(doing, ": CUDA error ", e.get_error_code(), ": ",
                                    Brief(e.what_without_backtrace())));
  } catch (const c10::Error& e) {
    return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR,
                       absl::StrCat(doing, ": ", Brief(e.what_without_backtrace())));
  } catch (const std::bad_alloc&) {
    return EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY,
                       absl::StrCat(doing, ": the process has no memory left"));
  } catch (const std::exception& e) {
    return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR, absl::StrCat(doing, ": ", Brief(e.what())));
  }
}

// LibTorch reports a failed CPU allocation as a plain error; this gives it the type that a device's
// has.
class TypedCpuAllocator : public c10::Allocator {
 public:
  explicit TypedCpuAllocator(c10::Allocator* inner) : inner_(inner) {}

  c10::DataPtr allocate(size_t bytes) override {
    try {
      return inner_->allocate(bytes);
    } catch (const c10::OutOfMemoryError&) {
      throw;
    } catch (const c10::Error& e) {
      // Nothing but memory can fail in an allocator.
      throw c10::OutOfMemoryError({__func__, __FILE__, __LINE__}, e.what_without_backtrace());
    }
  }
  c10::DeleterFnPtr raw_deleter() const override { return inner_->raw_deleter(); }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

 private:
  c10::Allocator* const inner_;
};

// Settings that hold for the process; LibTorch refuses some of them when they come twice.
void ConfigureProcessOnce() {
  static std::once_flag once;
  std::call_once(once, [] {
    at::set_num_interop_threads(1);
    // Without it the interpreter turns every exception into one type, and the cause is lost.
    FLAGS_torch_jit_enable_rethrow_caught_exception = true;
    static TypedCpuAllocator allocator(c10::GetCPUAllocator());
    c10::SetCPUAllocator(&allocator, /*priority=*/100);
    auto& context = at::globalContext();
    context.setAllowTF32CuDNN(false);
    context.setAllowTF32CuBLAS(false);
    context.setBenchmarkCuDNN(false);  // it would choose kernels, and so bits, by the clock
    context.setDeterministicCuDNN(true);
  });
}

std::string EnvironmentOf(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : absl::StrCat(" ", name, "=", value);
}

// The padded batch as a contiguous NCHW tensor; a short batch repeats its last tile.
torch::Tensor BatchTensor(const StageKey& key, absl::Span<const NetworkTile> inputs) {
  const int64_t height = key.shape.height;
  const int64_t width = key.shape.width;
  torch::Tensor batch = torch::empty({key.batch, key.channels, height, width});
  for (int i = 0; i < key.batch; ++i) {
    const NetworkTile& tile = inputs[std::min<size_t>(static_cast<size_t>(i), inputs.size() - 1)];
    const torch::Tensor pixels = torch::from_blob(const_cast<float*>(tile.values.data()),
                                                  {height, width, int64_t{key.channels}});
    batch.select(0, i).copy_(pixels.permute({2, 0, 1}));
  }
  return batch;
}

struct StageShape {
  Size output;
  int64_t channels = 0;
};

class TorchStage : public Stage {
 public:
  TorchStage(StageKey key, StageShape out, torch::Device device, std::string model,
             torch::jit::Module module)
      : key_(std::move(key)),
        out_(out),
        device_(device),
        model_(std::move(model)),
        module_(std::move(module)) {}

  absl::StatusOr<std::vector<NetworkTile>> Run(absl::Span<const NetworkTile> inputs) override {
    TW_RETURN_IF_ERROR(CheckInputs(key_, inputs));
    std::vector<NetworkTile> outputs;
    absl::Status status = TryRun(inputs, &outputs);
    if (CauseOf(status) == v1::FAILURE_CAUSE_OUT_OF_MEMORY && !status.ok() && device_.is_cuda()) {
      // The caching allocator may hold pieces that no longer fit together.
      status = Guarded("emptying the device's cache",
                       [this] { at::getDeviceAllocator(device_.type())->emptyCache(); });
      if (status.ok()) status = TryRun(inputs, &outputs);
    }
    if (!status.ok()) {
      if (CauseOf(status) != v1::FAILURE_CAUSE_OUT_OF_MEMORY) return status;
      return EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY, std::string(status.message()),
                         MeasuredPeak());
    }
    return outputs;
  }

  uint64_t MemoryEstimate() const override {
    if (measured_peak_ > 0) return measured_peak_;
    const auto batch = static_cast<uint64_t>(key_.batch);
    const auto in = static_cast<uint64_t>(key_.shape.area());
    const auto out = static_cast<uint64_t>(out_.output.area() * out_.channels);
    // Until it is measured: four activations of 64 channels at the input's size, and the output
    // three times (result, rearranged, interleaved).
    return batch * sizeof(float) * (in * 4 * 64 + out * 3);
  }

 private:
  absl::Status TryRun(absl::Span<const NetworkTile> inputs, std::vector<NetworkTile>* outputs) {
    outputs->clear();
    absl::Status shape_status;
    const absl::Status status = Guarded(absl::StrCat("running ", model_), [&] {
      const c10::InferenceMode inference;
      // The graph is optimised once, when loaded. Profiling runs would compile it again, to other
      // bits perhaps.
      const torch::jit::GraphOptimizerEnabledGuard as_loaded(false);
      if (device_.is_cuda())
        at::getDeviceAllocator(device_.type())->resetPeakStats(device_.index());
      const torch::Tensor batch = BatchTensor(key_, inputs).to(device_);
      const c10::IValue result = module_.forward({batch});
      shape_status = CheckResult(result);
      if (!shape_status.ok()) return;
      CopyOut(result.toTensor(), inputs, outputs);
    });
    TW_RETURN_IF_ERROR(status);
    TW_RETURN_IF_ERROR(shape_status);
    measured_peak_ = MeasuredPeak();
    return absl::OkStatus();
  }

  absl::Status CheckResult(const c10::IValue& result) const {
    if (!result.isTensor()) {
      return EngineError(v1::FAILURE_CAUSE_BAD_RESULT,
                         absl::StrCat(model_, " returned ", result.tagKind(), ", not a tensor"));
    }
    const torch::Tensor& tensor = result.toTensor();
    const std::vector<int64_t> wanted = {key_.batch, out_.channels, out_.output.height,
                                         out_.output.width};
    if (tensor.sizes() == c10::IntArrayRef(wanted) && tensor.scalar_type() == torch::kFloat32) {
      return absl::OkStatus();
    }
    std::string got = absl::StrCat(c10::toString(tensor.scalar_type()));
    for (int64_t side : tensor.sizes()) absl::StrAppend(&got, " ", side);
    return EngineError(v1::FAILURE_CAUSE_BAD_RESULT,
                       absl::StrCat(model_, " returned the shape [", got, "] for a batch of ",
                                    key_.batch, "; its manifest promises ", out_.channels,
                                    " channels of ", ToString(out_.output), " in Float"));
  }

  void CopyOut(const torch::Tensor& result, absl::Span<const NetworkTile> inputs,
               std::vector<NetworkTile>* outputs) const {
    // The copy from a device waits for its work; errors of kernels surface here.
    const torch::Tensor pixels = result.to(torch::kCPU).permute({0, 2, 3, 1}).contiguous();
    const auto samples = static_cast<size_t>(out_.output.area() * out_.channels);
    const float* data = pixels.const_data_ptr<float>();
    for (const NetworkTile& input : inputs) {
      NetworkTile tile{input.index, out_.output, static_cast<int>(out_.channels), {}};
      tile.values.assign(data, data + samples);
      data += samples;
      outputs->push_back(std::move(tile));
    }
  }

  // The device's high-water mark since the run began; 0 on a CPU, where LibTorch counts nothing.
  uint64_t MeasuredPeak() const {
    uint64_t peak = 0;
    if (!device_.is_cuda()) return peak;
    const absl::Status status = Guarded("reading memory statistics", [this, &peak] {
      const auto stats = at::getDeviceAllocator(device_.type())->getDeviceStats(device_.index());
      peak = static_cast<uint64_t>(stats.allocated_bytes[0].peak);
    });
    return status.ok() ? peak : 0;
  }

  const StageKey key_;
  const StageShape out_;
  const torch::Device device_;
  const std::string model_;
  torch::jit::Module module_;
  uint64_t measured_peak_ = 0;
};

class TorchEngine : public Engine {
 public:
  TorchEngine(torch::Device device, std::string device_name)
      : device_(device), device_name_(std::move(device_name)) {}

  std::string name() const override { return "torch"; }

  // Not in it: the number of threads and the place in a batch, which were measured not to change
  // bits.
  std::string environment_key() const override {
    if (device_.is_cuda()) {
      return absl::StrCat("torch/", TORCH_VERSION, " cuda [", device_name_,
                          "] frozen ieee deterministic");
    }
    return absl::StrCat("torch/", TORCH_VERSION, " cpu [", device_name_, "] ",
                        at::get_cpu_capability(), " [", CpuInstructionSets(RealFiles()),
                        "] frozen optimized", EnvironmentOf("ONEDNN_MAX_CPU_ISA"),
                        EnvironmentOf("DNNL_MAX_CPU_ISA"),
                        EnvironmentOf("ONEDNN_DEFAULT_FPMATH_MODE"), EnvironmentOf("MKL_CBWR"));
  }

  EngineDevice ExamineDevice() override {
    EngineDevice device;
    device.kind = device_.is_cuda() ? "cuda" : "cpu";
    device.name = device_name_;
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
    return device;
  }

  absl::StatusOr<std::unique_ptr<Stage>> Load(
      const LocalModel& model, const StageKey& key,
      const std::function<void(std::string)>& progress) override {
    const std::string& entry = model.manifest.entry();
    if (key.dtype != "fp32") {
      return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR,
                         absl::StrCat("the torch engine runs in fp32, not in ", key.dtype));
    }
    TW_ASSIGN_OR_RETURN(const StageShape out, OutputOf(model.manifest, key));
    const std::string path = absl::StrCat(model.folder, "/", entry);
    std::ifstream stream(path, std::ios::binary);
    if (!stream) {
      return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR,
                         absl::StrCat("cannot open the model file ", path));
    }
    if (progress) progress(absl::StrCat("loading ", entry));
    torch::jit::Module module;
    TW_RETURN_IF_ERROR(Guarded(absl::StrCat("loading ", path), [&] {
      module = torch::jit::load(stream, device_);
      module.eval();
      module = torch::jit::freeze(module);
      if (progress) progress(absl::StrCat("optimising ", entry));
      if (!device_.is_cuda()) module = torch::jit::optimize_for_inference(module);
    }));
    return std::make_unique<TorchStage>(key, out, device_, entry, std::move(module));
  }

 private:
  static absl::StatusOr<StageShape> OutputOf(const v1::ModelManifest& manifest,
                                             const StageKey& key) {
    TW_ASSIGN_OR_RETURN(const Scale scale, ScaleOf(manifest));
    if (manifest.inputs_size() != 1 || manifest.outputs_size() != 1) {
      return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR,
                         "the torch engine runs models of one input and one output");
    }
    const auto in = static_cast<int>(manifest.inputs(0).channels());
    const auto out = static_cast<int>(manifest.outputs(0).channels());
    if (in != 0 && in != key.channels) {
      return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR,
                         absl::StrCat("the model takes ", in, " channels, not ", key.channels));
    }
    if (key.shape.width % scale.q() != 0 || key.shape.height % scale.q() != 0) {
      return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR,
                         absl::StrCat("tiles of ", ToString(key.shape),
                                      " are no multiple of the scale's ", scale.q()));
    }
    return StageShape{{scale.Exact(key.shape.width), scale.Exact(key.shape.height)},
                      out == 0 ? key.channels : out};
  }

  // FLOP/s of 3×3 convolutions of 64 channels, as in the networks that this is for.
  double MeasureConvolution() const {
    using Clock = std::chrono::steady_clock;
    const c10::InferenceMode inference;
    const int64_t side = device_.is_cuda() ? 512 : 96;
    torch::Tensor x = torch::zeros({1, 64, side, side}, device_);
    const torch::Tensor weight = torch::zeros({64, 64, 3, 3}, device_);
    const double flops_each = 2.0 * 9 * 64 * 64 * static_cast<double>(side * side);
    const auto run = [&] {
      x = torch::conv2d(x, weight, {}, 1, 1);
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

  const torch::Device device_;
  const std::string device_name_;
};

// Loads LibTorch's CUDA half, which this program is not linked to.
absl::StatusOr<std::string> OpenCuda(int index) {
  TW_ASSIGN_OR_RETURN(const CudaDevice cuda, ExamineCudaDevice(index));
  if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("LibTorch's CUDA libraries do not load (", dlerror(),
                     "); install the full torch wheel, or use --device cpu"));
  }
  int devices = 0;
  const absl::Status status = Guarded("starting CUDA", [&devices] {
    if (torch::hasCUDA()) devices = static_cast<int>(torch::cuda::device_count());
  });
  if (!status.ok()) return absl::UnavailableError(status.message());
  if (index >= devices) {
    return absl::UnavailableError(absl::StrCat("LibTorch sees ", devices,
                                               " CUDA devices, so there is no cuda:", index,
                                               "; the driver may be too old for it"));
  }
  return cuda.name;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> CreateTorchEngine(const TorchOptions& options) {
  TW_ASSIGN_OR_RETURN(const DeviceName device, ParseDevice(options.device));
  if (options.threads < 1 || options.threads > 1024) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.threads, " threads asked for; 1 to 1024 are possible"));
  }
  std::string name = CpuName(RealFiles());
  torch::Device torch_device(torch::kCPU);
  if (device.kind == "cuda") {
    TW_ASSIGN_OR_RETURN(name, OpenCuda(device.index));
    torch_device = torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(device.index));
  }
  TW_RETURN_IF_ERROR(Guarded("configuring LibTorch", [&options] {
    ConfigureProcessOnce();
    at::set_num_threads(options.threads);
  }));
  return std::make_unique<TorchEngine>(torch_device, name);
}

}  // namespace tilewright
