// CUDA's graphs, in a module of its own, because it needs libtorch_cuda.so: a worker starts
// without.

#include <ATen/cuda/CUDAGraph.h>
#include <ATen/cuda/MemPool.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/util/Exception.h>

#include <functional>
#include <memory>
#include <utility>

#include "worker/engine/torch_graph.h"

namespace tilewright {
namespace {

class CudaGraph : public RecordedGraph {
 public:
  void Record(const std::function<at::Tensor()>& work) {
    const at::MempoolId_t pool = at::cuda::graph_pool_handle();
    try {
      // Of this thread alone: another one asks the device for its free memory.
      graph_.capture_begin(pool, cudaStreamCaptureModeThreadLocal);
      output_ = work();
      graph_.capture_end();
    } catch (...) {
      GiveUp(pool);
      throw;
    }
  }

  void Replay() override { graph_.replay(); }
  const at::Tensor& output() const override { return output_; }

 private:
  // Ends what may have begun; what fails here has not begun, and the first error says why. An
  // allocator that still serves a capture could not give back its caches.
  void GiveUp(const at::MempoolId_t& pool) {
    output_.reset();
    const auto attempt = [](const std::function<void()>& end) {
      try {
        end();
      } catch (const c10::Error&) {
      }
    };
    const c10::DeviceIndex device = c10::cuda::current_device();
    attempt([this] { graph_.capture_end(); });
    attempt([&] { c10::cuda::CUDACachingAllocator::endAllocateToPool(device, pool); });
  }

  at::cuda::CUDAGraph graph_;
  at::Tensor output_;  // in the graph's memory; goes before it
};

class CudaGraphRecorder : public GraphRecorder {
 public:
  std::unique_ptr<RecordedGraph> Record(const std::function<at::Tensor()>& work) override {
    auto graph = std::make_unique<CudaGraph>();
    graph->Record(work);
    return graph;
  }
};

}  // namespace
}  // namespace tilewright

extern "C" __attribute__((visibility("default"))) tilewright::GraphRecorder*
tilewright_open_graph_recorder() {
  return new tilewright::CudaGraphRecorder();
}
