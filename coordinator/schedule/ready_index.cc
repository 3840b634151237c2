#include "coordinator/schedule/ready_index.h"

#include <algorithm>
#include <cassert>

#include "absl/strings/str_cat.h"
#include "coordinator/schedule/planted.h"

namespace tilewright::schedule {
namespace {

// Servings of the present size that one who lags behind gets in a row at most.
constexpr int kLagServings = 16;

ServiceRank RankOf(const TenantAccount& tenant) { return {tenant.time, tenant.id}; }

ServiceRank RankOf(const JobAccount& job) {
  if (Planted(PlantedBug::kStarvedLowPriority)) return {absl::Seconds(-job.weight), job.id};
  return {job.time, job.id};
}

}  // namespace

absl::Duration ReadyIndex::entry() const {
  return tenants_.empty() ? served_ : tenants_.begin()->first.time;
}

void ReadyIndex::SetReady(JobAccount& job, bool ready) {
  if (job.ready == ready) return;
  job.ready = ready;
  TenantAccount& tenant = *job.tenant;
  if (!ready) {
    tenant.ready.erase(RankOf(job));
    if (tenant.ready.empty()) tenants_.erase(RankOf(tenant));
    return;
  }
  const absl::Duration level =
      tenant.ready.empty() ? tenant.served : tenant.ready.begin()->second->time;
  job.time = std::max(job.time, level);
  if (tenant.ready.empty()) {
    tenant.time = std::max(tenant.time, entry());
    tenants_.emplace(RankOf(tenant), &tenant);
  }
  tenant.ready.emplace(RankOf(job), &job);
}

void ReadyIndex::SetWeight(JobAccount& job, double weight) {
  if (job.ready) job.tenant->ready.erase(RankOf(job));
  if (!job.tenant->ready.empty()) {
    // What it received beyond the least served one weighs as much as what it will receive.
    const absl::Duration level = job.tenant->ready.begin()->second->time;
    if (job.time > level) job.time = level + (job.time - level) * (job.weight / weight);
  }
  job.weight = weight;
  if (job.ready) job.tenant->ready.emplace(RankOf(job), &job);
}

TileCharge ReadyIndex::ChargeOf(const JobAccount& job, absl::Duration work) {
  assert(work > absl::ZeroDuration());
  const absl::Duration least = absl::Nanoseconds(1) / 4;  // the finest step of a Duration
  return {work, std::max(work / job.tenant->share, least), std::max(work / job.weight, least)};
}

void ReadyIndex::Charge(JobAccount& job, const TileCharge& charge, int64_t tiles) {
  TenantAccount& tenant = *job.tenant;
  job.work += charge.work * tiles;
  served_ = std::max(served_, tenant.time);
  tenant.served = std::max(tenant.served, job.time);
  const absl::Duration tenant_time = charge.tenant_time * tiles;
  const absl::Duration job_time = charge.job_time * tiles;
  Move(job, std::max(tenant.time, served_ - kLagServings * tenant_time) + tenant_time,
       std::max(job.time, tenant.served - kLagServings * job_time) + job_time);
}

void ReadyIndex::GiveBack(JobAccount& job, const TileCharge& charge, int64_t tiles) {
  job.work -= charge.work * tiles;
  const TileCharge now = ChargeOf(job, charge.work);  // its weight may have changed
  Move(job, job.tenant->time - now.tenant_time * tiles, job.time - now.job_time * tiles);
}

void ReadyIndex::Correct(JobAccount& job, const TileCharge& charged, const TileCharge& actual) {
  job.work += actual.work - charged.work;
  const TileCharge now = ChargeOf(job, charged.work);
  Move(job, job.tenant->time + (actual.tenant_time - now.tenant_time),
       job.time + (actual.job_time - now.job_time));
}

void ReadyIndex::Move(JobAccount& job, absl::Duration tenant_time, absl::Duration job_time) {
  TenantAccount& tenant = *job.tenant;
  const bool listed = !tenant.ready.empty();
  if (job.ready) tenant.ready.erase(RankOf(job));
  if (listed) tenants_.erase(RankOf(tenant));
  job.time = job_time;
  tenant.time = tenant_time;
  if (job.ready) tenant.ready.emplace(RankOf(job), &job);
  if (listed) tenants_.emplace(RankOf(tenant), &tenant);
}

absl::Status ReadyIndex::Check() const {
  for (const auto& [tenant_rank, tenant] : tenants_) {
    if (tenant_rank != RankOf(*tenant) || tenant->ready.empty()) {
      return absl::InternalError(absl::StrCat("tenant ", tenant->id, " is listed wrongly"));
    }
    for (const auto& [rank, job] : tenant->ready) {
      if (rank != RankOf(*job) || !job->ready || job->tenant != tenant) {
        return absl::InternalError(absl::StrCat("job ", job->id, " is listed wrongly"));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace tilewright::schedule
