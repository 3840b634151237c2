// The test networks (tilewright-testnets) in a folder of their own, which goes with the object, and
// a cluster that has them. Not thread-safe.

#ifndef TILEWRIGHT_TESTS_CLUSTER_NETWORKS_H_
#define TILEWRIGHT_TESTS_CLUSTER_NETWORKS_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/with_cluster.h"

namespace tilewright {

class Networks {
 public:
  // Writes them; the error holds what the program said.
  static absl::StatusOr<std::unique_ptr<Networks>> Write();
  ~Networks();
  Networks(const Networks&) = delete;
  Networks& operator=(const Networks&) = delete;

  // A model repository, for ClusterOptions::models.
  const std::string& folder() const { return folder_; }

 private:
  explicit Networks(std::string folder) : folder_(std::move(folder)) {}

  const std::string folder_;
};

// Tests of networks in a cluster.
class NetworksTest : public WithCluster, public testing::Test {
 protected:
  // The names of the workers that it begins with.
  explicit NetworksTest(std::vector<std::string> workers = {}) : workers_(std::move(workers)) {}
  void SetUp() override;
  void TearDown() override;

  std::unique_ptr<Networks> networks_;

 private:
  const std::vector<std::string> workers_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_CLUSTER_NETWORKS_H_
