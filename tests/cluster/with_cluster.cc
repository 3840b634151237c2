#include "tests/cluster/with_cluster.h"

#include <utility>

#include "gtest/gtest.h"

namespace tilewright {

void WithCluster::StartCluster(const std::vector<std::string>& workers,
                               const ClusterOptions& options) {
  absl::StatusOr<std::unique_ptr<Cluster>> cluster = Cluster::Start(options);
  ASSERT_TRUE(cluster.ok()) << cluster.status();
  cluster_ = *std::move(cluster);
  for (const std::string& worker : workers) {
    const absl::Status added = cluster_->AddWorker(worker);
    ASSERT_TRUE(added.ok()) << added;
  }
}

}  // namespace tilewright
