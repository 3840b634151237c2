// Buffers of unfinished blocks, reused: a fresh page costs more than the pixels that are copied
// into it. Not thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_MERGE_BLOCK_POOL_H_
#define TILEWRIGHT_COORDINATOR_MERGE_BLOCK_POOL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace tilewright {

class BlockPool {
 public:
  using Buffer = std::unique_ptr<std::byte[]>;

  // Every buffer has `buffer_bytes`; at most `free_buffers_max` of them are kept while nobody uses
  // them.
  BlockPool(int64_t buffer_bytes, size_t free_buffers_max);

  // Contents are unspecified.
  Buffer Take();
  void Return(Buffer buffer);

 private:
  const int64_t buffer_bytes_;
  const size_t free_buffers_max_;
  std::vector<Buffer> free_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_MERGE_BLOCK_POOL_H_
