#include "coordinator/merge/block_pool.h"

#include <utility>

namespace tilewright {

BlockPool::Buffer BlockPool::Take(size_t bytes) {
  if (free_.empty()) return Buffer(bytes);
  Buffer buffer = std::move(free_.back());
  free_.pop_back();
  buffer.resize(bytes);
  return buffer;
}

void BlockPool::Return(Buffer buffer) {
  if (free_.size() < free_buffers_max_) free_.push_back(std::move(buffer));
}

}  // namespace tilewright
