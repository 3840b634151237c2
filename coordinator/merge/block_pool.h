// Buffers of unfinished blocks, reused: a fresh page costs more than the pixels that are copied
// into it. Not thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_MERGE_BLOCK_POOL_H_
#define TILEWRIGHT_COORDINATOR_MERGE_BLOCK_POOL_H_

#include <cstddef>
#include <vector>

namespace tilewright {

class BlockPool {
 public:
  using Buffer = std::vector<std::byte>;

  // At most `free_buffers_max` buffers are kept while nobody uses them.
  explicit BlockPool(size_t free_buffers_max) : free_buffers_max_(free_buffers_max) {}

  // A buffer of so many bytes; contents are unspecified.
  Buffer Take(size_t bytes);
  void Return(Buffer buffer);

 private:
  const size_t free_buffers_max_;
  std::vector<Buffer> free_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_MERGE_BLOCK_POOL_H_
