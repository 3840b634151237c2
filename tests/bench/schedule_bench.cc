// Rate of the scheduling core alone: tiles granted, started, settled and accepted per second by 1,
// 100 and 10,000 workers, null tiles.
// A credit of one tile makes every tile a lease of its own.

#include <deque>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "coordinator/schedule/scheduler.h"

namespace tilewright {
namespace {

void Dispatch(benchmark::State& state) {
  const int64_t tiles = state.range(0);
  const int credit = static_cast<int>(state.range(1));
  const int workers = static_cast<int>(state.range(2));
  for (auto _ : state) {
    Scheduler scheduler({}, 1);
    Instant now;
    std::vector<std::deque<Grant>> queues(workers);
    int64_t accepted = 0;
    const auto take = [&](const Decisions& decisions) {
      for (const Grant& grant : decisions.grants)
        queues[std::stoi(grant.worker.substr(1))].push_back(grant);
      if (decisions.verdict.has_value())
        accepted += decisions.verdict->verdict == Verdict::kAccepted;
    };
    for (int i = 0; i < workers; ++i) {
      WorkerJoined joined;
      joined.worker = absl::StrCat("w", i);
      joined.incarnation = "1";
      joined.offer.engines = {"builtin"};
      joined.offer.dtypes = {"fp32"};
      joined.offer.credit_tiles = credit;
      take(scheduler.Handle(joined, now));
    }
    JobSpec job;
    job.name = "jobs/benchmark";
    job.tile_count = tiles;
    job.engine = "builtin";
    take(scheduler.Handle(JobSubmitted{job}, now));
    ResultArrived result;
    result.job = job.name;
    result.generation = 1;
    result.incarnation = "1";
    while (accepted < tiles) {
      for (int i = 0; i < workers; ++i) {
        if (queues[i].empty()) continue;
        const Grant grant = std::move(queues[i].front());
        queues[i].pop_front();
        result.worker = grant.worker;
        result.lease = grant.lease;
        take(scheduler.Handle(LeaseStarted{grant.worker, grant.lease}, now));
        for (int64_t tile : grant.tiles) {
          now = now + absl::Microseconds(1);
          result.tile = tile;
          take(scheduler.Handle(result, now));
        }
      }
    }
  }
  state.SetItemsProcessed(state.iterations() * tiles);
}
BENCHMARK(Dispatch)
    ->ArgNames({"tiles", "credit", "workers"})
    ->Args({10000, 1, 100})
    ->Args({100000, 1, 1})
    ->Args({100000, 1, 100})
    ->Args({1000000, 1, 100})
    ->Args({1000000, 1, 10000})
    ->Args({100000, 4096, 100})
    ->Args({1000000, 4096, 1})
    ->Args({1000000, 4096, 100})
    ->Args({1000000, 4096, 10000})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tilewright

BENCHMARK_MAIN();
