// Shares and weights: what a tile costs, and who is served next.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/schedule/job_order.h"
#include "coordinator/schedule/ready_index.h"
#include "gtest/gtest.h"

namespace tilewright::schedule {
namespace {

TEST(JobOrder, CountsWorkInSecondsOfTheReferenceDevice) {
  EXPECT_EQ(RelativeSpeed(2e9), 2);
  EXPECT_EQ(RelativeSpeed(0), 1) << "not probed";
  EXPECT_EQ(TileWork({.measured = absl::Seconds(3), .flops_per_tile = 5e9}), absl::Seconds(3));
  EXPECT_EQ(TileWork({.measured = {}, .flops_per_tile = 5e9, .relative_speed = 7}),
            absl::Seconds(5))
      << "whoever computes it";
  EXPECT_EQ(TileWork({.measured = {}, .flops_per_tile = 0, .relative_speed = 7}), absl::Seconds(7));
  EXPECT_GT(TileWork({.measured = absl::ZeroDuration()}), absl::ZeroDuration());
}

TEST(JobOrder, DoublesTheWeightWithEachStepOfPriority) {
  EXPECT_EQ(WeightOf(0), 1);
  EXPECT_EQ(WeightOf(5), 32);
  EXPECT_EQ(WeightOf(-5), 1.0 / 32);
}

class Cluster {
 public:
  TenantAccount& Tenant(double share) {
    auto& tenant = tenants_.emplace_back(std::make_unique<TenantAccount>());
    tenant->id = tenants_.size();
    tenant->share = share;
    return *tenant;
  }
  JobAccount& Job(TenantAccount& tenant, double weight) {
    auto& job = jobs_.emplace_back(std::make_unique<JobAccount>());
    job->id = jobs_.size();
    job->tenant = &tenant;
    job->weight = weight;
    index.SetReady(*job, true);
    return *job;
  }
  // Serves one tile of a second; the number of the job served, 0 for none.
  uint64_t Serve(uint64_t but = 0) {
    uint64_t served = 0;
    index.Walk([&](JobAccount& job) {
      if (job.id == but) return false;
      index.Charge(job, ReadyIndex::ChargeOf(job, absl::Seconds(1)), 1);
      served = job.id;
      return true;
    });
    EXPECT_TRUE(index.Check().ok()) << index.Check();
    return served;
  }
  std::map<uint64_t, int> Serve(int tiles, uint64_t but) {
    std::map<uint64_t, int> served;
    for (int i = 0; i < tiles; ++i) served[Serve(but)]++;
    return served;
  }

  ReadyIndex index;

 private:
  std::vector<std::unique_ptr<TenantAccount>> tenants_;
  std::vector<std::unique_ptr<JobAccount>> jobs_;
};

using Served = std::map<uint64_t, int>;

TEST(ReadyIndex, ServesEqualsInTurnInTheOrderOfArrival) {
  Cluster cluster;
  TenantAccount& tenant = cluster.Tenant(1);
  for (int i = 0; i < 3; ++i) cluster.Job(tenant, 1);
  std::vector<uint64_t> order;
  for (int i = 0; i < 6; ++i) order.push_back(cluster.Serve());
  EXPECT_EQ(order, (std::vector<uint64_t>{1, 2, 3, 1, 2, 3}));
}

TEST(ReadyIndex, SharesByWeightWithinATenant) {
  Cluster cluster;
  TenantAccount& tenant = cluster.Tenant(1);
  cluster.Job(tenant, WeightOf(0));
  cluster.Job(tenant, WeightOf(2));
  EXPECT_EQ(cluster.Serve(500, 0), (Served{{1, 100}, {2, 400}}));
}

TEST(ReadyIndex, SharesByTenantHoweverManyJobsEachHas) {
  Cluster cluster;
  TenantAccount& many = cluster.Tenant(1);
  TenantAccount& one = cluster.Tenant(2);
  for (int i = 0; i < 4; ++i) cluster.Job(many, WeightOf(5));
  cluster.Job(one, WeightOf(-5));
  EXPECT_EQ(cluster.Serve(1200, 0), (Served{{1, 100}, {2, 100}, {3, 100}, {4, 100}, {5, 800}}));
}

TEST(ReadyIndex, GivesNoCreditForIdleTimeAndForgetsNoLead) {
  Cluster cluster;
  JobAccount& busy = cluster.Job(cluster.Tenant(1), 1);
  JobAccount& idle = cluster.Job(cluster.Tenant(1), 1);
  cluster.index.SetReady(idle, false);
  cluster.Serve(1000, 0);
  cluster.index.SetReady(idle, true);
  EXPECT_EQ(cluster.Serve(10, 0), (Served{{1, 5}, {2, 5}}));

  // Whoever goes and comes back is no better off than one who stayed.
  cluster.index.Charge(busy, ReadyIndex::ChargeOf(busy, absl::Seconds(1)), 6);
  cluster.index.SetReady(busy, false);
  cluster.index.SetReady(busy, true);
  EXPECT_EQ(cluster.Serve(6, 0), (Served{{2, 6}}));
}

TEST(ReadyIndex, LetsANewJobInLevelAfterTheOthersWereAllGranted) {
  Cluster cluster;
  TenantAccount& tenant = cluster.Tenant(1);
  JobAccount& first = cluster.Job(tenant, 1);
  cluster.Serve(1000, 0);
  cluster.index.SetReady(first, false);
  cluster.Job(tenant, 1);
  cluster.index.SetReady(first, true);
  const Served served = cluster.Serve(10, 0);
  EXPECT_LE(served.at(2), 6);
}

TEST(ReadyIndex, TakesBackExactlyWhatWasCharged) {
  Cluster cluster;
  TenantAccount& tenant = cluster.Tenant(3);
  JobAccount& job = cluster.Job(tenant, WeightOf(-3));
  const TileCharge charge = ReadyIndex::ChargeOf(job, absl::Seconds(0.1));
  cluster.index.Charge(job, charge, 7);
  cluster.index.GiveBack(job, charge, 7);
  EXPECT_EQ(job.time, absl::ZeroDuration());
  EXPECT_EQ(tenant.time, absl::ZeroDuration());
  EXPECT_EQ(job.work, absl::ZeroDuration());

  cluster.index.Charge(job, charge, 1);
  const TileCharge actual = ReadyIndex::ChargeOf(job, absl::Seconds(3));
  cluster.index.Correct(job, charge, actual);
  EXPECT_EQ(job.work, absl::Seconds(3));
  EXPECT_EQ(job.time, actual.job_time);
  EXPECT_EQ(tenant.time, actual.tenant_time);
}

TEST(ReadyIndex, DoesNotLetAJobPayForTheTimeBeforeItsWeightWasRaised) {
  Cluster cluster;
  TenantAccount& tenant = cluster.Tenant(1);
  JobAccount& low = cluster.Job(tenant, WeightOf(-5));
  cluster.Job(tenant, WeightOf(0));
  EXPECT_EQ(cluster.Serve(33, 0), (Served{{1, 1}, {2, 32}}));
  const TileCharge charge = ReadyIndex::ChargeOf(low, absl::Seconds(1));
  cluster.index.Charge(low, charge, 1);
  cluster.index.SetWeight(low, WeightOf(0));
  EXPECT_EQ(cluster.Serve(10, 0), (Served{{1, 5}, {2, 5}}));
  // One that is given back counts at the present weight as well.
  cluster.index.GiveBack(low, charge, 1);
  EXPECT_EQ(cluster.Serve(9, 0), (Served{{1, 5}, {2, 4}}));
}

TEST(ReadyIndex, BoundsWhatAJobCatchesUpThatNobodyCouldServe) {
  Cluster cluster;
  JobAccount& stuck = cluster.Job(cluster.Tenant(1), 1);
  cluster.Job(cluster.Tenant(1), 1);
  EXPECT_EQ(cluster.Serve(10000, stuck.id), (Served{{2, 10000}}));
  const Served served = cluster.Serve(100, 0);
  EXPECT_GT(served.at(1), 50);
  EXPECT_LE(served.at(1), 60) << "not 10,000 in a row";
}

TEST(ReadyIndex, WalksOnToTheNextIfTheFirstCannotBeServed) {
  Cluster cluster;
  TenantAccount& tenant = cluster.Tenant(1);
  cluster.Job(tenant, WeightOf(5));
  cluster.Job(tenant, 1);
  cluster.Job(cluster.Tenant(1), 1);
  std::vector<uint64_t> walked;
  EXPECT_FALSE(cluster.index.Walk([&](const JobAccount& job) {
    walked.push_back(job.id);
    return false;
  }));
  EXPECT_EQ(walked, (std::vector<uint64_t>{1, 2, 3}));
}

}  // namespace
}  // namespace tilewright::schedule
