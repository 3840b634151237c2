#include "tests/worker/faulty/failing_new.h"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace tilewright {
namespace {

constexpr std::size_t kSmall = 4096;  // bytes; below it nothing fails

thread_local uint64_t failing_every = 0;
thread_local uint64_t allocations = 0;

bool AllocationFails(std::size_t bytes) {
  return failing_every > 0 && bytes >= kSmall && ++allocations % failing_every == 0;
}

}  // namespace

FailingNew::FailingNew(uint64_t every) { failing_every = every; }
FailingNew::~FailingNew() { failing_every = 0; }

}  // namespace tilewright

void* operator new(std::size_t bytes) {
  if (tilewright::AllocationFails(bytes)) throw std::bad_alloc();
  void* memory = std::malloc(bytes > 0 ? bytes : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
