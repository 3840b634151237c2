// A stage around any network of LibTorch's: tiles become an NCHW tensor, the answer is checked and
// becomes tiles again. For the .cc files of the torch engine only, because it names LibTorch's
// types.

#ifndef TILEWRIGHT_WORKER_ENGINE_TORCH_STAGE_H_
#define TILEWRIGHT_WORKER_ENGINE_TORCH_STAGE_H_

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>
#include <c10/core/Stream.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "worker/engine/engine.h"
#include "worker/engine/memory_model.h"
#include "worker/engine/stage_output.h"
#include "worker/engine/torch_graph.h"

namespace tilewright {

struct TorchNetwork {
  // Called with a contiguous NCHW tensor of the key's batch in `type` on `device` for each of its
  // inputs; may throw what LibTorch throws. An answer that is no tensor of the promised shape and
  // type is a bad result.
  std::function<c10::IValue(const std::vector<at::Tensor>& inputs)> forward;
  // Of each of its inputs, in order.
  std::vector<int64_t> input_channels;
  std::string name;  // for messages
  c10::Device device{c10::kCPU};
  // Of the device, where all its work is enqueued; absent for a CPU.
  std::optional<c10::Stream> stream;
  c10::ScalarType type = c10::kFloat;
  uint64_t weight_bytes = 0;
};

// Whether a network is to run through graphs: absent means no; an error, that it should but cannot.
using GraphChoice = std::optional<absl::StatusOr<GraphRecorder*>>;

// `memory` is what the network was measured to need; absent: not known until the stage has run. The
// graph recorder outlives the stage.
std::unique_ptr<Stage> CreateTorchStage(StageKey key, StageOutput output, TorchNetwork network,
                                        std::optional<MemoryModel> memory,
                                        GraphChoice graphs = std::nullopt);

// Runs the network on tiles, NCHW, whose channels are those of all inputs, one after the other. May
// throw what LibTorch throws.
c10::IValue RunNetwork(const TorchNetwork& network, const at::Tensor& tiles);

// A result as a stage hands it out: NHWC in fp32, on the device where it is.
at::Tensor InterleavedFloats(const at::Tensor& result);

// The element type named by StageKey.dtype: fp32, fp16 or bf16. MODEL_ERROR for anything else.
absl::StatusOr<c10::ScalarType> TorchTypeOf(const std::string& dtype);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_TORCH_STAGE_H_
