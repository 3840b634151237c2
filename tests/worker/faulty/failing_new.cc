#include "tests/worker/faulty/failing_new.h"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace tilewright {
namespace {

using Which = FailingNew::Which;

constexpr std::size_t kSmall = 4096;  // bytes; below it nothing fails

struct Order {
  bool counts = false;
  Which which = Which::kEvery;
  uint64_t number = 0;
};
thread_local Order order;
thread_local uint64_t allocations = 0;  // of objects before this one and of this one
thread_local uint64_t first = 0;        // those before this one

bool AllocationFails(std::size_t bytes) {
  if (!order.counts || bytes < kSmall) return false;
  ++allocations;
  if (order.number == 0) return false;
  return order.which == Which::kEvery ? allocations % order.number == 0
                                      : allocations - first == order.number;
}

}  // namespace

FailingNew::FailingNew(uint64_t number, Which which) {
  order = {true, which, number};
  first = allocations;
}
FailingNew::~FailingNew() { order = {}; }
uint64_t FailingNew::seen() const { return allocations - first; }

}  // namespace tilewright

void* operator new(std::size_t bytes) {
  if (tilewright::AllocationFails(bytes)) throw std::bad_alloc();
  void* memory = std::malloc(bytes > 0 ? bytes : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
