// What the OpenVINO engine needs of OpenVINO, in types of the standard library: the implementation
// is a module of its own (libtilewright_openvino.so), which the engine opens at run time, so that a
// worker starts without OpenVINO. No exception crosses it. Objects belong to one thread.

#ifndef TILEWRIGHT_WORKER_ENGINE_OPENVINO_BACKEND_H_
#define TILEWRIGHT_WORKER_ENGINE_OPENVINO_BACKEND_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tilewright {

struct OpenVinoFailure {
  enum class Kind {
    kNone,
    kDeviceAbsent,  // no such device, or no driver for it
    kOutOfMemory,
    kModel,  // anything else: a file that cannot be read, a dtype the device lacks
  };
  Kind kind = Kind::kNone;
  std::string text;  // for people; empty without a failure
};

// A network compiled for one shape.
class OpenVinoNetwork {
 public:
  virtual ~OpenVinoNetwork() = default;
  // Shape of the result, NHWC.
  virtual const std::vector<size_t>& output_shape() const = 0;
  // Computes one batch, NHWC and as long as the shape it was compiled for; a pixel has the channels
  // of all inputs, one after the other. The result is valid until the next call; null on a failure.
  virtual const float* Run(const float* nhwc, OpenVinoFailure* failure) = 0;
  virtual uint64_t weight_bytes() const = 0;
  // What it holds for a run, about: never less than the largest operation reads and writes.
  virtual uint64_t activation_bytes() const = 0;
};

struct OpenVinoLoad {
  std::string path;  // model.xml; its weights lie beside it
  size_t batch = 1;
  std::vector<size_t> channels;  // of each input
  size_t height = 0;
  size_t width = 0;
  std::string dtype;  // "fp32", "fp16", "bf16"
};

// One device of OpenVINO's.
class OpenVinoRuntime {
 public:
  virtual ~OpenVinoRuntime() = default;
  virtual std::string version() const = 0;
  virtual std::string device_name() const = 0;
  // Null on a failure. The network is compiled anew each time; nothing is cached on disk.
  virtual std::unique_ptr<OpenVinoNetwork> Load(const OpenVinoLoad& load,
                                                OpenVinoFailure* failure) = 0;
  // A convolution of 64 channels in `dtype` on a fixed pattern, its result, and its FLOP/s. Empty
  // on a failure.
  virtual std::vector<float> TryConvolution(const std::string& dtype, double* flops,
                                            OpenVinoFailure* failure) = 0;
};

// The module's one symbol: opens `device` ("CPU", "GPU.0", "NPU"), computing on `threads` threads
// of a CPU. Null on a failure.
using OpenVinoOpen = OpenVinoRuntime* (*)(const char* device, int threads,
                                          OpenVinoFailure* failure);
inline constexpr char kOpenVinoModule[] = "libtilewright_openvino.so";
inline constexpr char kOpenVinoSymbol[] = "tilewright_open_openvino";

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_OPENVINO_BACKEND_H_
