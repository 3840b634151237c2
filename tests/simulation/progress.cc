#include "tests/simulation/progress.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "tests/simulation/world.h"

namespace tilewright::simulation {

double TransferSeconds(const WorkerPlan& worker, const JobPlan& job) {
  const double bytes = static_cast<double>(job.spec.input_bytes + job.spec.output_bytes);
  return bytes / worker.bytes_per_second + 2 * absl::ToDoubleSeconds(worker.latency);
}

double SecondsPerTile(const WorkerPlan& worker, const Credit& credit, const JobPlan& job) {
  const double bytes = static_cast<double>(job.spec.input_bytes + job.spec.output_bytes);
  const double batch = std::max(1, job.spec.executed_batch);
  double tiles = std::min<double>(
      {batch, static_cast<double>(credit.tiles), static_cast<double>(job.spec.tile_count)});
  if (credit.bytes > 0)
    tiles = std::max(1.0, std::min(tiles, std::floor(static_cast<double>(credit.bytes) / bytes)));
  // A batch that takes longer than a tile may lapses, and then tiles are sent one by one.
  if (job.units * worker.unit_seconds * batch * (1 + worker.jitter) >
      absl::ToDoubleSeconds(job.spec.tile_timeout) / 2)
    tiles = 1;
  return job.units * worker.unit_seconds * batch / tiles + bytes / worker.bytes_per_second +
         2 * absl::ToDoubleSeconds(worker.latency) / tiles;
}

Progress::Progress(World& world)
    : world_(world),
      opened_(world.plan().jobs.size()),
      critical_(world.plan().jobs.size(), std::numeric_limits<double>::infinity()) {}

bool Progress::Open(size_t job) const {
  const JobSpec& spec = world_.plan().jobs[job].spec;
  const Store& store = world_.store();
  if (!store.Knows(spec.name) || store.Ended(spec.name)) return false;
  if (spec.prove_class && !store.Decided(spec.name)) return false;
  return !store.Paused(spec.name) && store.TilesToCompute(spec.name) > 0;
}

double Progress::Speed(size_t w, size_t j) const {
  const JobPlan& job = world_.plan().jobs[j];
  const SimWorker& worker = world_.worker(w);
  if (aside_.contains(worker.name()) || blocked_.contains({worker.name(), job.spec.name}) ||
      lacking_.contains({worker.name(), job.spec.name}))
    return 0;
  if (job.spec.prove_class && world_.store().ClassOf(job.spec.name) != worker.ClassOf(job.spec))
    return 0;
  if (worker.plan().memory_bytes < job.memory_bytes) return 0;
  return job.units / SecondsPerTile(worker.plan(), worker.credit(), job) / worker.slowness();
}

void Progress::Advance(Instant until) {
  if (!world_.serving()) return;
  const Instant now = world_.now();
  const double seconds = absl::ToDoubleSeconds(until - now);
  std::vector<size_t> open;
  for (size_t j = 0; j < opened_.size(); ++j) {
    if (!Open(j)) continue;
    open.push_back(j);
    if (!opened_[j].has_value()) opened_[j] = now;
  }
  if (open.empty()) return;
  double all = 0;
  for (size_t w = 0; w < world_.plan().workers.size(); ++w) {
    if (!world_.worker(w).serves()) continue;
    double least = std::numeric_limits<double>::infinity();
    for (size_t j : open) {
      const double speed = Speed(w, j);
      if (speed <= 0) continue;
      least = std::min(least, speed);
      const JobPlan& job = world_.plan().jobs[j];
      const double tile = job.units * std::max(1, job.spec.executed_batch) / speed;
      critical_[j] = std::min(critical_[j], absl::ToDoubleSeconds(now - *opened_[j]) + tile);
    }
    if (least < std::numeric_limits<double>::infinity()) all += least;
  }
  if (all == 0) return;
  active_ += seconds;
  capacity_ += all * seconds;
}

void Progress::Noticed(const Notice& notice) {
  if (notice.kind == "tile_poisoned") {
    const JobPlan& job = *world_.FindJob(notice.job);
    double slowest = 0;
    for (const WorkerPlan& worker : world_.plan().workers)
      slowest = std::max(slowest,
                         SecondsPerTile(worker, {worker.credit_tiles, worker.credit_bytes}, job) *
                             std::max(1, job.spec.executed_batch));
    verdicts_ += slowest;
  }
  if (notice.kind == "worker_blocklisted") blocked_.insert({notice.worker, notice.job});
  if (notice.kind == "memory_floor_raised") {
    // What ran out holds no tile of this size, nor does any smaller one.
    const SimWorker* small = world_.FindWorker(notice.worker);
    for (const WorkerPlan& worker : world_.plan().workers) {
      if (worker.memory_bytes > small->plan().memory_bytes) continue;
      for (const JobPlan& job : world_.plan().jobs) {
        if (job.spec.model_digest == world_.FindJob(notice.job)->spec.model_digest)
          lacking_.insert({worker.name, job.spec.name});
      }
    }
  }
  if (notice.kind == "worker_quarantined" || notice.kind == "worker_drained")
    aside_.insert(notice.worker);
  if (notice.kind == "worker_readmitted" || notice.kind == "worker_resumed")
    aside_.erase(notice.worker);
}

double Progress::NeededSeconds() const {
  return capacity_ == 0 ? 0 : (merged_ + lost_) * active_ / capacity_;
}

double Progress::OverBound(int64_t faults) const {
  const absl::Duration slack = kMakespanPerJob * opened_.size() + kMakespanPerFault * faults;
  return active_ / (kMakespanFactor * NeededSeconds() + kMakespanTiles * FirstTileSeconds() +
                    verdicts_ + absl::ToDoubleSeconds(slack));
}

std::string Progress::Judge(int64_t faults) const {
  if (OverBound(faults) <= 1) return "";
  return absl::StrCat("it took ", active_, " s, ", OverBound(faults),
                      " times the bound: the work needed ", NeededSeconds(),
                      " s, and the first tiles of all jobs ", FirstTileSeconds(), " s");
}

double Progress::FirstTileSeconds() const {
  double sum = 0;
  for (double critical : critical_) {
    if (critical < std::numeric_limits<double>::infinity()) sum += critical;
  }
  return sum;
}

}  // namespace tilewright::simulation
