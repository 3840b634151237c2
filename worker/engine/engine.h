// What computes tiles: one interface, implementations behind it. An engine belongs to one thread at
// a time.

#ifndef TILEWRIGHT_WORKER_ENGINE_ENGINE_H_
#define TILEWRIGHT_WORKER_ENGINE_ENGINE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/geometry/rect.h"
#include "proto/geometry/scale.h"
#include "tilewright/v1/model_service.pb.h"
#include "tilewright/v1/worker_service.pb.h"
#include "worker/engine/in_flight.h"

namespace tilewright {

class Measurements;
class ProcessMemory;

// A model's files on this machine.
struct LocalModel {
  v1::ModelManifest manifest;
  std::string digest;
  std::string folder;  // absolute; holds manifest.textproto and the entry file
  // While a copy lives, whoever keeps the folder leaves it there. Null: nobody removes it.
  std::shared_ptr<const void> hold = nullptr;
};

// Compiled state is keyed by all of it: a recompile can never turn one stage into another.
struct StageKey {
  std::string model_digest;
  uint32_t stage = 0;
  Size shape;        // input pixels
  int channels = 0;  // of the tiles given to Run
  int batch = 1;
  std::string dtype;
  std::string environment;  // Engine::environment_key: library version, device, flags
  friend auto operator<=>(const StageKey& a, const StageKey& b) {
    return std::tie(a.model_digest, a.stage, a.shape.width, a.shape.height, a.channels, a.batch,
                    a.dtype, a.environment) <=> std::tie(b.model_digest, b.stage, b.shape.width,
                                                         b.shape.height, b.channels, b.batch,
                                                         b.dtype, b.environment);
  }
  friend bool operator==(const StageKey&, const StageKey&) = default;
};

// One tile in network values, row-major and interleaved (HWC).
struct NetworkTile {
  uint64_t index = 0;  // of the tile in its stage; only the test operator `disagree` looks at it
  Size size;           // pixels
  int channels = 0;
  std::vector<float> values;  // height * width * channels
};

// REFUSED unless there are 1 … key.batch tiles, each of the key's shape and channels and full.
absl::Status CheckInputs(const StageKey& key, absl::Span<const NetworkTile> inputs);

// A failure that the scheduler can act on; the cause is a payload of the absl::Status.
absl::Status EngineError(v1::FailureCause cause, std::string text, uint64_t peak_bytes = 0);
// FAILURE_CAUSE_MODEL_ERROR if the status carries none.
v1::FailureCause CauseOf(const absl::Status& status);
uint64_t PeakBytesOf(const absl::Status& status);

// How a Run went.
struct RunNotes {
  // By the device's own clock, copies included; 0 where it has none.
  double device_seconds = 0;
  // Why the network ran call by call although its manifest asks for a CUDA graph; empty if it does
  // not, or did not.
  std::string without_graph;
};

// A model compiled for one StageKey.
class Stage {
 public:
  // One tile per input.
  using Outputs = absl::StatusOr<std::vector<NetworkTile>>;

  virtual ~Stage() = default;
  // Computes 1 … key.batch tiles of key.shape; short batches are padded by the implementation. The
  // result has one tile per input, in order, of size shape * scale. Errors carry a cause
  // (EngineError); no tile is ever invented.
  virtual Outputs Run(absl::Span<const NetworkTile> inputs) = 0;
  // Begins a Run; whatever fails says so when it lands. The inputs stay as they are until then.
  // What is in flight never touches what another run gives. A stage without a device of its own
  // computes when the run lands.
  virtual InFlight<Outputs> Begin(absl::Span<const NetworkTile> inputs) {
    return InFlight<Outputs>([this, inputs] { return Run(inputs); });
  }
  // Of the run that landed last, if it succeeded.
  virtual RunNotes Notes() const { return {}; }
  // Bytes that runs need beside the compiled state, as many as may be in flight, about; what was
  // measured, once a device has measured it. Of the device's own memory: what is staged on its way
  // to and from it lies in the host's.
  virtual uint64_t MemoryEstimate() const = 0;
  // Bytes held between runs, about: weights and compiled state.
  virtual uint64_t StateBytes() const = 0;
};

// The device that an engine computes on, as far as the engine knows better than the operating
// system.
struct EngineDevice {
  std::string kind;  // "cpu", "cuda" or "openvino"
  std::string name;
  uint64_t memory_total_bytes = 0;  // 0: ask the operating system
  uint64_t memory_free_bytes = 0;
  double flops = 0;                 // measured FLOP/s of a reference convolution; 0: not measured
  std::vector<std::string> dtypes;  // "fp32", "fp16", "bf16": tried, and found to be right
};

class Engine {
 public:
  virtual ~Engine() = default;
  // "builtin", "torch", "openvino": the word in manifests.
  virtual std::string name() const = 0;
  // Library versions, device name, instruction set, flags: what decides bits.
  virtual std::string environment_key() const = 0;
  // Examined now; a measurement may take a second.
  virtual EngineDevice ExamineDevice() = 0;
  // Loads and compiles; `progress` (may be empty) is called with a sentence for people while it
  // moves. Errors carry a cause.
  virtual absl::StatusOr<std::unique_ptr<Stage>> Load(
      const LocalModel& model, const StageKey& key,
      const std::function<void(std::string)>& progress) = 0;
  // Gives back memory that is kept for speed alone; what is loaded stays.
  virtual void DropCaches() {}
  // Bytes free on the device now; 0 where the operating system knows it, or nobody.
  virtual uint64_t MemoryFree() { return 0; }
};

// Output pixels per input pixel of a manifest in which 0 means 1. MODEL_ERROR outside 1/32 … 32.
absl::StatusOr<Scale> ScaleOf(const v1::ModelManifest& manifest);

// The engine of operators that need no library (worker/engine/builtin_engine.cc).
std::unique_ptr<Engine> CreateBuiltinEngine();

struct TorchOptions {
  std::string device = "cpu";  // "cpu" or "cuda:K"
  int threads = 1;             // intra-op
  // Is told what is measured; outlives the engine. Null: nobody is.
  Measurements* measurements = nullptr;
  bool cuda_graphs = true;  // for models that ask for them
  // TorchScript is frozen and optimised when it is loaded; else it runs as it was saved, slower and
  // perhaps with other bits, which is for measurements.
  bool freeze = true;
};
// LibTorch's engine. UNIMPLEMENTED in a build without it, UNAVAILABLE if the device is not there.
absl::StatusOr<std::unique_ptr<Engine>> CreateTorchEngine(const TorchOptions& options);

struct OpenVinoOptions {
  std::string device = "CPU";  // as OpenVINO names it: "CPU", "GPU", "GPU.1", "NPU"
  int threads = 1;             // of a CPU
  // Is told what is measured; outlives the engine. Null: nobody is.
  Measurements* measurements = nullptr;
  // Counts what models take on the CPU; outlives the engine. Null: their memory is reckoned.
  ProcessMemory* memory = nullptr;
};
// OpenVINO's engine. UNAVAILABLE with the reason where its module or the device does not load.
absl::StatusOr<std::unique_ptr<Engine>> CreateOpenVinoEngine(const OpenVinoOptions& options);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_ENGINE_H_
