#include "coordinator/merge/block_pool.h"

#include <utility>

namespace tilewright {

BlockPool::BlockPool(int64_t buffer_bytes, size_t free_buffers_max)
    : buffer_bytes_(buffer_bytes), free_buffers_max_(free_buffers_max) {}

BlockPool::Buffer BlockPool::Take() {
  if (free_.empty()) return Buffer(new std::byte[static_cast<size_t>(buffer_bytes_)]);
  Buffer buffer = std::move(free_.back());
  free_.pop_back();
  return buffer;
}

void BlockPool::Return(Buffer buffer) {
  if (free_.size() < free_buffers_max_) free_.push_back(std::move(buffer));
}

}  // namespace tilewright
