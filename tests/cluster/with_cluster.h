// What a fixture derives from beside testing::Test to have a cluster of its own. Not thread-safe.

#ifndef TILEWRIGHT_TESTS_CLUSTER_WITH_CLUSTER_H_
#define TILEWRIGHT_TESTS_CLUSTER_WITH_CLUSTER_H_

#include <memory>
#include <string>
#include <vector>

#include "tests/cluster/cluster.h"

namespace tilewright {

class WithCluster {
 protected:
  // Fails the test unless the coordinator serves and lists plain workers of these names.
  void StartCluster(const std::vector<std::string>& workers = {},
                    const ClusterOptions& options = {});

  std::unique_ptr<Cluster> cluster_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_CLUSTER_WITH_CLUSTER_H_
