#include "worker/engine/torch_allocator.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/alignment.h>
#include <c10/core/impl/alloc_cpu.h>
#include <c10/util/Exception.h>

#include <atomic>
#include <cstddef>
#include <cstring>

namespace tilewright {
namespace {

std::atomic<uint64_t> allocated_bytes = 0;
std::atomic<uint64_t> peak_bytes = 0;
std::atomic<uint64_t> failures = 0;

// Before every tensor's memory lies its size, in as many bytes as keep the alignment.
constexpr size_t kHeader = c10::gAlignment;
static_assert(kHeader >= sizeof(size_t));

void Free(void* memory) {
  if (memory == nullptr) return;
  char* const begin = static_cast<char*>(memory) - kHeader;
  size_t bytes = 0;
  std::memcpy(&bytes, begin, sizeof(bytes));
  allocated_bytes -= bytes;
  c10::free_cpu(begin);
}

void Count(size_t bytes) {
  const uint64_t now = allocated_bytes += bytes;
  uint64_t peak = peak_bytes;
  while (now > peak && !peak_bytes.compare_exchange_weak(peak, now)) {
  }
}

class TypedCpuAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &Free, c10::Device(c10::kCPU)};
    char* begin = nullptr;
    try {
      if (bytes <= SIZE_MAX - kHeader) begin = static_cast<char*>(c10::alloc_cpu(bytes + kHeader));
    } catch (const c10::Error& e) {
      // Nothing but memory can fail in an allocator.
      ++failures;
      throw c10::OutOfMemoryError({__func__, __FILE__, __LINE__}, e.what_without_backtrace());
    }
    if (begin == nullptr) {
      ++failures;
      throw c10::OutOfMemoryError({__func__, __FILE__, __LINE__}, "more than there can be");
    }
    std::memcpy(begin, &bytes, sizeof(bytes));
    Count(bytes);
    return {begin + kHeader, begin + kHeader, &Free, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &Free; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
};

}  // namespace

void InstallTypedCpuAllocator() {
  static TypedCpuAllocator allocator;
  c10::SetCPUAllocator(&allocator, /*priority=*/100);
}

CpuTensorMemory ReadCpuTensorMemory() { return {allocated_bytes, peak_bytes, failures}; }

void ResetCpuTensorPeak() { peak_bytes = allocated_bytes.load(); }

}  // namespace tilewright
