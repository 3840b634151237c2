#include "worker/engine/torch_guard.h"

#include <gtest/gtest.h>

#include <new>
#include <oneapi/dnnl/dnnl_common.hpp>

#include "worker/engine/engine.h"

namespace tilewright {
namespace {

template <typename Thrown>
v1::FailureCause CauseOfThrown(const Thrown& thrown) {
  return CauseOf(Guarded("running", [&] { throw thrown; }));
}

TEST(TorchGuard, TypesWhatOneDnnThrowsByItsStatus) {
  EXPECT_EQ(CauseOfThrown(dnnl::error(dnnl_out_of_memory, "could not create a memory object")),
            v1::FAILURE_CAUSE_OUT_OF_MEMORY);
  EXPECT_EQ(CauseOfThrown(dnnl::error(dnnl_unimplemented, "CUDA out of memory")),
            v1::FAILURE_CAUSE_MODEL_ERROR)
      << "the words decide nothing";
}

TEST(TorchGuard, TypesWhatTheProcessRunsOutOf) {
  EXPECT_EQ(CauseOfThrown(std::bad_alloc()), v1::FAILURE_CAUSE_OUT_OF_MEMORY);
}

}  // namespace
}  // namespace tilewright
