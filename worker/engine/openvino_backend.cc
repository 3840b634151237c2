#include "worker/engine/openvino_backend.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <map>
#include <new>
#include <numeric>
#include <openvino/openvino.hpp>
#include <openvino/opsets/opset8.hpp>
#include <utility>

namespace tilewright {
namespace {

using Kind = OpenVinoFailure::Kind;

std::string Brief(const std::string& text) { return text.substr(0, 600); }

// OpenVINO turns every exception, std::bad_alloc too, into one type. So the memory itself is asked:
// if what the work is known to need cannot be had, that was it.
bool CannotHave(uint64_t bytes) {
  void* const memory = std::malloc(bytes);
  std::free(memory);
  return bytes > 0 && memory == nullptr;
}

// False, and says why, if `work` throws.
bool Try(const std::string& doing, uint64_t bytes_needed, OpenVinoFailure* failure,
         const std::function<void()>& work) {
  try {
    work();
    return true;
  } catch (const std::bad_alloc&) {
    *failure = {Kind::kOutOfMemory, doing + ": the process has no memory left"};
  } catch (const std::exception& e) {
    const bool memory = CannotHave(bytes_needed);
    *failure = {memory ? Kind::kOutOfMemory : Kind::kModel, doing + ": " + Brief(e.what())};
  }
  return false;
}

ov::element::Type PrecisionOf(const std::string& dtype) {
  if (dtype == "fp32") return ov::element::f32;
  if (dtype == "fp16") return ov::element::f16;
  if (dtype == "bf16") return ov::element::bf16;
  OPENVINO_THROW("OpenVINO runs in fp32, fp16 or bf16, not in ", dtype);
}

uint64_t BytesOf(const ov::Output<const ov::Node>& value) {
  if (value.get_partial_shape().is_dynamic()) return 0;
  return ov::shape_size(value.get_shape()) * value.get_element_type().size();
}

// Weights, and twice what the largest operation reads and writes.
void Measure(const ov::Model& model, uint64_t* weights, uint64_t* activations) {
  uint64_t largest = 0;
  for (const auto& node : model.get_ops()) {
    uint64_t touched = 0;
    for (const auto& output : std::as_const(*node).outputs()) touched += BytesOf(output);
    if (std::dynamic_pointer_cast<ov::op::v0::Constant>(node)) {
      *weights += touched;
      continue;
    }
    for (size_t i = 0; i < node->get_input_size(); ++i) {
      touched += BytesOf(std::as_const(*node).input(i).get_source_output());
    }
    largest = std::max(largest, touched);
  }
  *activations = 2 * largest;
}

class Network : public OpenVinoNetwork {
 public:
  // Throws what OpenVINO throws.
  void Compile(ov::Core& core, const std::string& device, const ov::AnyMap& properties,
               const OpenVinoLoad& load, std::shared_ptr<ov::Model> model) {
    if (model->inputs().size() != load.channels.size()) {
      OPENVINO_THROW("the network takes ", model->inputs().size(), " inputs, its manifest says ",
                     load.channels.size());
    }
    std::map<size_t, ov::PartialShape> shapes;
    for (size_t i = 0; i < load.channels.size(); ++i) {
      shapes[i] = ov::Shape{load.batch, load.channels[i], load.height, load.width};
    }
    model->reshape(shapes);
    Measure(*model, &weight_bytes_, &activation_bytes_);
    ov::preprocess::PrePostProcessor tiles(model);
    for (size_t i = 0; i < load.channels.size(); ++i) {
      tiles.input(i).tensor().set_element_type(ov::element::f32).set_layout("NHWC");
      tiles.input(i).model().set_layout("NCHW");
    }
    tiles.output().tensor().set_element_type(ov::element::f32).set_layout("NHWC");
    tiles.output().model().set_layout("NCHW");
    compiled_ = core.compile_model(tiles.build(), device, properties);
    const auto wanted = PrecisionOf(load.dtype);
    const auto precision = compiled_.get_property(ov::hint::inference_precision);
    if (precision != wanted) {
      OPENVINO_THROW(device, " has no ", load.dtype, ": it would compute in ", precision);
    }
    request_ = compiled_.create_infer_request();
    output_shape_ = compiled_.output().get_shape();
    channels_ = load.channels;
  }

  const std::vector<size_t>& output_shape() const override { return output_shape_; }

  const float* Run(const float* nhwc, OpenVinoFailure* failure) override {
    const float* result = nullptr;
    Try("running the network", activation_bytes_, failure, [&] {
      FillInputs(nhwc);
      request_.infer();
      result = request_.get_output_tensor().data<const float>();
    });
    return result;
  }

  uint64_t weight_bytes() const override { return weight_bytes_; }
  uint64_t activation_bytes() const override { return activation_bytes_; }

 private:
  void FillInputs(const float* nhwc) {
    const size_t together = std::accumulate(channels_.begin(), channels_.end(), size_t{0});
    for (size_t i = 0; i < channels_.size(); ++i) {
      ov::Tensor input = request_.get_input_tensor(i);
      float* to = input.data<float>();
      if (channels_.size() == 1) {
        std::memcpy(to, nhwc, input.get_byte_size());
        return;
      }
      const size_t pixels = input.get_size() / channels_[i];
      for (size_t p = 0; p < pixels; ++p) {
        to = std::copy_n(nhwc + p * together, channels_[i], to);
      }
      nhwc += channels_[i];
    }
  }

  ov::CompiledModel compiled_;
  ov::InferRequest request_;
  std::vector<size_t> channels_;  // of each input
  std::vector<size_t> output_shape_;
  uint64_t weight_bytes_ = 0;
  uint64_t activation_bytes_ = 0;
};

// x[i] = a fixed pattern in -1 … 1.
std::vector<float> Pattern(size_t count, size_t step) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    values[i] = static_cast<float>((i * step) % 255) / 127.0f - 1.0f;
  }
  return values;
}

class Runtime : public OpenVinoRuntime {
 public:
  Runtime(std::string device, int threads) : device_(std::move(device)), threads_(threads) {}

  // Throws what OpenVINO throws.
  void Open(OpenVinoFailure* failure) {
    std::string there;
    for (const std::string& name : core_.get_available_devices()) {
      if (name == device_ || name == device_ + ".0") {
        name_ = core_.get_property(device_, ov::device::full_name);
        return;
      }
      there += (there.empty() ? "" : ", ") + name;
    }
    *failure = {Kind::kDeviceAbsent, "OpenVINO finds no device " + device_ + " (it finds " + there +
                                         "); is its driver installed?"};
  }

  std::string version() const override { return ov::get_openvino_version().buildNumber; }
  std::string device_name() const override { return name_; }

  std::unique_ptr<OpenVinoNetwork> Load(const OpenVinoLoad& load,
                                        OpenVinoFailure* failure) override {
    auto network = std::make_unique<Network>();
    std::shared_ptr<ov::Model> model;
    if (!Try("reading " + load.path, 0, failure, [&] { model = core_.read_model(load.path); })) {
      return nullptr;
    }
    const bool compiled = Try("compiling " + load.path, 0, failure, [&] {
      network->Compile(core_, device_, Properties(load.dtype), load, model);
    });
    if (compiled) return network;
    if (CannotHave(network->activation_bytes())) failure->kind = Kind::kOutOfMemory;
    return nullptr;
  }

  std::vector<float> TryConvolution(const std::string& dtype, double* flops,
                                    OpenVinoFailure* failure) override {
    using Clock = std::chrono::steady_clock;
    constexpr size_t kChannels = 64;
    constexpr size_t kSide = 96;
    std::vector<float> result;
    Try("trying " + dtype, 0, failure, [&] {
      const auto input = std::make_shared<ov::opset8::Parameter>(
          ov::element::f32, ov::PartialShape{1, int64_t{kChannels}, -1, -1});
      const auto weight = ov::opset8::Constant::create(
          ov::element::f32, {kChannels, kChannels, 3, 3}, Pattern(kChannels * kChannels * 9, 7));
      const auto layer = std::make_shared<ov::opset8::Convolution>(
          input, weight, ov::Strides{1, 1}, ov::CoordinateDiff{1, 1}, ov::CoordinateDiff{1, 1},
          ov::Strides{1, 1});
      Network network;
      network.Compile(
          core_, device_, Properties(dtype), {"", 1, {kChannels}, kSide, kSide, dtype},
          std::make_shared<ov::Model>(ov::OutputVector{layer}, ov::ParameterVector{input}));
      const std::vector<float> pattern = Pattern(kChannels * kSide * kSide, 11);
      const float* values = network.Run(pattern.data(), failure);
      if (values == nullptr) return;
      result.assign(values, values + kChannels * kSide * kSide);
      double done = 0;
      Clock::duration elapsed{};
      const auto start = Clock::now();
      do {
        if (network.Run(pattern.data(), failure) == nullptr) return;
        done += 2.0 * 9 * kChannels * kChannels * kSide * kSide;
        elapsed = Clock::now() - start;
      } while (elapsed < std::chrono::milliseconds(50));
      *flops = done / std::chrono::duration<double>(elapsed).count();
    });
    return failure->kind == Kind::kNone ? result : std::vector<float>();
  }

 private:
  ov::AnyMap Properties(const std::string& dtype) const {
    ov::AnyMap properties = {ov::hint::inference_precision(PrecisionOf(dtype)),
                             ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY)};
    if (device_ == "CPU") {
      properties.insert(ov::inference_num_threads(threads_));
      properties.insert(ov::num_streams(1));
      // Two workers of one thread would be pinned to the same core.
      properties.insert(ov::hint::enable_cpu_pinning(false));
    }
    return properties;
  }

  ov::Core core_;
  const std::string device_;
  const int threads_;
  std::string name_;
};

}  // namespace
}  // namespace tilewright

extern "C" __attribute__((visibility("default"))) tilewright::OpenVinoRuntime*
tilewright_open_openvino(const char* device, int threads, tilewright::OpenVinoFailure* failure) {
  using namespace tilewright;
  std::unique_ptr<Runtime> runtime;
  Try(std::string("opening OpenVINO's device ") + device, 0, failure, [&] {
    runtime = std::make_unique<Runtime>(device, threads);
    runtime->Open(failure);
  });
  if (failure->kind != Kind::kNone) return nullptr;
  return runtime.release();
}
