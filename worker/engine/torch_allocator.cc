#include "worker/engine/torch_allocator.h"

#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>

#include <cstddef>

namespace tilewright {
namespace {

class TypedCpuAllocator : public c10::Allocator {
 public:
  explicit TypedCpuAllocator(c10::Allocator* inner) : inner_(inner) {}

  c10::DataPtr allocate(size_t bytes) override {
    try {
      return inner_->allocate(bytes);
    } catch (const c10::OutOfMemoryError&) {
      throw;
    } catch (const c10::Error& e) {
      // Nothing but memory can fail in an allocator.
      throw c10::OutOfMemoryError({__func__, __FILE__, __LINE__}, e.what_without_backtrace());
    }
  }
  c10::DeleterFnPtr raw_deleter() const override { return inner_->raw_deleter(); }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

 private:
  c10::Allocator* const inner_;
};

}  // namespace

void InstallTypedCpuAllocator() {
  static TypedCpuAllocator allocator(c10::GetCPUAllocator());
  c10::SetCPUAllocator(&allocator, /*priority=*/100);
}

}  // namespace tilewright
