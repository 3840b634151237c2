// A cluster and jobs that blur one small picture of fifteen tiles, for tests of workers whose
// device fails. Real processes. Not thread-safe.

#ifndef TILEWRIGHT_TESTS_CHAOS_BLUR_FIXTURE_H_
#define TILEWRIGHT_TESTS_CHAOS_BLUR_FIXTURE_H_

#include <signal.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/picture.h"
#include "tests/cluster/with_cluster.h"

namespace tilewright {

// Under the load of other tests a process may take its time.
inline constexpr absl::Duration kPatience = absl::Minutes(3);

class BlurTest : public WithCluster, public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(StartCluster());
    ASSERT_TRUE(WritePicture(NoisePicture(250, 130, 3, 8, 5), cluster_->Path("in.tif")).ok());
  }

  // The job's name; empty, and a failure, if it was not taken.
  std::string Submit(bool strict) {
    JobRequest request;
    request.input = cluster_->Path("in.tif");
    request.output = cluster_->Path(absl::StrCat("out-", submitted_++, ".tif"));
    request.model = "gaussian-blur";
    request.tile = 64;
    request.strict = strict;
    const absl::StatusOr<std::string> job = cluster_->Submit(request);
    EXPECT_TRUE(job.ok()) << job.status();
    return job.value_or("");
  }
  // As it succeeded.
  v1::Job Finish(const std::string& name) {
    const absl::StatusOr<v1::Job> job = cluster_->AwaitSuccess(name, kPatience);
    EXPECT_TRUE(job.ok()) << job.status();
    return job.value_or(v1::Job());
  }
  v1::Job Render(bool strict) { return Finish(Submit(strict)); }

  // Kills it and waits until the coordinator knows.
  void End(const std::string& name) {
    cluster_->worker(name).Signal(SIGKILL);
    ASSERT_TRUE(cluster_->AwaitWorker(name, false, kPatience).ok());
  }
  // Sets reference_, the pixel hash of an undisturbed strict job, by a worker that leaves again.
  void RenderReference() {
    const absl::Status added = cluster_->AddWorker("reference");
    ASSERT_TRUE(added.ok()) << added;
    reference_ = Render(/*strict=*/true).pixel_hash();
    ASSERT_EQ(reference_.size(), 16u);
    End("reference");
  }

  std::string reference_;

 private:
  int submitted_ = 0;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_CHAOS_BLUR_FIXTURE_H_
