#include "worker/engine/torch_guard.h"

#include <c10/util/Exception.h>
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

TEST(TorchGuard, TypesWhatADeviceReportsByItsCode) {
  const auto cause = [](int code) {
    return CauseOfThrown(
        c10::AcceleratorError({__func__, __FILE__, __LINE__}, code, "CUDA out of memory"));
  };
  EXPECT_EQ(cause(2), v1::FAILURE_CAUSE_OUT_OF_MEMORY);
  EXPECT_EQ(cause(702), v1::FAILURE_CAUSE_LAUNCH_TIMEOUT);
  for (const int code : {700, 710, 714, 718, 719}) {
    EXPECT_EQ(cause(code), v1::FAILURE_CAUSE_DEVICE_LOST) << code;
  }
  EXPECT_EQ(cause(1), v1::FAILURE_CAUSE_MODEL_ERROR) << "the words decide nothing";
}

TEST(TorchGuard, TypesWhatTheProcessRunsOutOf) {
  EXPECT_EQ(CauseOfThrown(std::bad_alloc()), v1::FAILURE_CAUSE_OUT_OF_MEMORY);
}

}  // namespace
}  // namespace tilewright
