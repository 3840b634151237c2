// Which job is served next: tenants by the work they received relative to their shares, within a
// tenant jobs by the work they received relative to their weights. Virtual time is work / share, or
// work / weight; the least is served first, ties in the order of arrival. Every step costs
// O(log n). Not thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_READY_INDEX_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_READY_INDEX_H_

#include <compare>
#include <cstdint>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"

namespace tilewright::schedule {

struct JobGroup;
struct JobAccount;

// Place in an order of service.
struct ServiceRank {
  absl::Duration time = absl::ZeroDuration();  // virtual
  uint64_t arrival = 0;                        // number of the submission or of the tenant
  friend bool operator==(const ServiceRank&, const ServiceRank&) = default;
  friend bool operator<(const ServiceRank& a, const ServiceRank& b) {
    return a.time != b.time ? a.time < b.time : a.arrival < b.arrival;
  }
};

// What a tenant received. Its address must not change; only ReadyIndex writes it after the setup.
struct TenantAccount {
  uint64_t id = 0;
  double share = 1;                            // > 0
  absl::Duration time = absl::ZeroDuration();  // virtual
  absl::Duration served =
      absl::ZeroDuration();  // greatest virtual time at which one of its jobs was served
  absl::btree_map<ServiceRank, JobAccount*> ready;  // its jobs with ready tiles
};

// What a job received. Its address must not change; only ReadyIndex writes it after the setup.
struct JobAccount {
  uint64_t id = 0;
  TenantAccount* tenant = nullptr;
  JobGroup* group = nullptr;                   // for the caller
  double weight = 1;                           // > 0
  absl::Duration time = absl::ZeroDuration();  // virtual
  bool ready = false;                          // Invariant: listed in tenant->ready.
  absl::Duration work = absl::ZeroDuration();  // charged and not given back
};

// What one tile costs: its work, and the same at the present share and weight.
struct TileCharge {
  absl::Duration work = absl::ZeroDuration();
  absl::Duration tenant_time = absl::ZeroDuration();
  absl::Duration job_time = absl::ZeroDuration();
};

class ReadyIndex {
 public:
  // A job or tenant that was idle comes in level with the least served of the others: it has saved
  // up nothing. What it received more than they did stands until they have caught up.
  void SetReady(JobAccount& job, bool ready);
  // Its lead over the least served job of the tenant is kept as work, so that a job whose weight is
  // raised does not first pay for what it got at the lower one.
  void SetWeight(JobAccount& job, double weight);

  // Of `work` reference seconds, at the present share and weight.
  static TileCharge ChargeOf(const JobAccount& job, absl::Duration work);
  // The job is served so many tiles. One that lags behind (no worker could take it) catches up by a
  // limited number of servings, then shares again.
  void Charge(JobAccount& job, const TileCharge& charge, int64_t tiles);
  void GiveBack(JobAccount& job, const TileCharge& charge, int64_t tiles);
  // One tile turned out to cost something else than it was charged.
  void Correct(JobAccount& job, const TileCharge& charged, const TileCharge& actual);

  // Calls `visit(JobAccount&)` for ready jobs, the next to be served first, until it returns true,
  // which it must as soon as it has changed the index. Whether it did.
  template <typename Visit>
  bool Walk(Visit visit) const {
    for (const auto& [tenant_rank, tenant] : tenants_) {
      for (const auto& [job_rank, job] : tenant->ready) {
        if (visit(*job)) return true;
      }
    }
    return false;
  }
  bool empty() const { return tenants_.empty(); }
  // Where an idle tenant would come in: one that received no more than this need not be remembered.
  absl::Duration entry() const;

  // INTERNAL if the orders disagree with the accounts.
  absl::Status Check() const;

 private:
  // Moves both to other places in the orders, where they are listed.
  void Move(JobAccount& job, absl::Duration tenant_time, absl::Duration job_time);

  absl::btree_map<ServiceRank, TenantAccount*> tenants_;  // Invariant: those with a ready job.
  absl::Duration served_ =
      absl::ZeroDuration();  // greatest virtual time at which a tenant was served
};

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_READY_INDEX_H_
