// CUDA graphs: what a network gives its device to do is recorded once, at the stage's one shape,
// and from then on replayed in one launch. What records is behind an interface, so that the rules
// hold without a device. For the .cc files of the torch engine and its tests only, because it names
// LibTorch's types. Objects belong to one thread.

#ifndef TILEWRIGHT_WORKER_ENGINE_TORCH_GRAPH_H_
#define TILEWRIGHT_WORKER_ENGINE_TORCH_GRAPH_H_

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tilewright {

// Work of a device that can be done again, on the memory that it was recorded with.
class RecordedGraph {
 public:
  virtual ~RecordedGraph() = default;
  // Gives the work to the current stream: it reads its inputs as they are then and overwrites
  // output(). May throw what LibTorch throws.
  virtual void Replay() = 0;
  // What the work returned when it was recorded, with the values of the latest replay.
  virtual const at::Tensor& output() const = 0;
};

class GraphRecorder {
 public:
  virtual ~GraphRecorder() = default;
  // Records what `work` gives the current stream, which is not the device's default one; it is not
  // done yet. May throw what LibTorch or `work` throws; then nothing is being recorded any more.
  virtual std::unique_ptr<RecordedGraph> Record(const std::function<at::Tensor()>& work) = 0;
};

// The module's one symbol (libtilewright_cuda.so, opened once libtorch_cuda.so is there): makes a
// recorder of CUDA graphs, owned by the caller.
using OpenGraphRecorder = GraphRecorder* (*)();
inline constexpr char kGraphModule[] = "libtilewright_cuda.so";
inline constexpr char kGraphSymbol[] = "tilewright_open_graph_recorder";

// Runs one network at one shape, through a graph where one can be had. A graph never changes bits:
// it is used only if its first replay gives those of a plain run.
class GraphRunner {
 public:
  // What is run; its error is that the result has another shape than promised. It may throw what
  // LibTorch throws.
  using Network = std::function<absl::StatusOr<at::Tensor>(const at::Tensor& batch)>;

  // So many runs are plain before one is recorded: in them libraries choose kernels and allocate.
  static constexpr int kWarmUps = 2;

  // The recorder outlives the runner; its error is why there is none.
  GraphRunner(Network network, absl::StatusOr<GraphRecorder*> recorder);

  // The network's result, in memory that no later run touches. `batch` has the same shape every
  // time. Errors are the network's, and those after which the device's context is gone; may throw
  // what LibTorch throws.
  absl::StatusOr<at::Tensor> Run(const at::Tensor& batch);

  bool recorded() const { return state_ == State::kRecorded; }
  // Why all runs are plain; empty if they are not.
  const std::string& why_plain() const { return why_plain_; }

 private:
  // kWarming ──after kWarmUps runs, recorded and shown to give the same bits──► kRecorded
  //     └──────no recorder, recording fails, or a replay gives other bits─────► kPlain
  enum class State {
    kWarming,   // runs are plain, and the next ones may be recorded
    kRecorded,  // runs are replays of graph_
    kPlain,     // runs are plain, for good
  };

  // Goes to kRecorded or kPlain; `plain` is the result of a plain run of `batch`.
  absl::Status Record(const at::Tensor& batch, const at::Tensor& plain);
  at::Tensor Replay(const at::Tensor& batch);

  const Network network_;
  const absl::StatusOr<GraphRecorder*> recorder_;
  State state_ = State::kWarming;
  int warm_ups_left_ = kWarmUps;
  std::string why_plain_;
  at::Tensor input_;                      // what graph_ reads
  std::unique_ptr<RecordedGraph> graph_;  // not null in kRecorded; goes before input_
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_TORCH_GRAPH_H_
