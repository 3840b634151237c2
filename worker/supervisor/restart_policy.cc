#include "worker/supervisor/restart_policy.h"

#include <algorithm>
#include <cassert>

namespace tilewright {
namespace {

constexpr int kPatienceGrowthMax = 16;

bool BlamesTheDevice(Death::Kind kind) {
  return kind == Death::Kind::kOverwhelmed || kind == Death::Kind::kDeviceLost ||
         kind == Death::Kind::kNoDevice;
}

}  // namespace

RestartPolicy::RestartPolicy(const RestartOptions& options, bool gpu,
                             const std::function<double()>& random)
    : options_(options),
      gpu_(gpu),
      pause_(options.pause, random),
      slow_pause_(options.slow_pause, random),
      patience_(options.healthy) {}

std::optional<absl::Duration> RestartPolicy::OnDeath(const Death& death, absl::Duration lived) {
  if (lived >= options_.healthy) {
    pause_.Reset();
    slow_pause_.Reset();
    device_deaths_ = 0;
  }
  if (death.kind == Death::Kind::kStopped || death.kind == Death::Kind::kUsage) return std::nullopt;

  if (death.kind == Death::Kind::kOverwhelmed) {
    rung_ = std::min(rung_ + 1, kLastRung);
    if (relaxed_) patience_ = std::min(patience_ * 2, options_.healthy * kPatienceGrowthMax);
    relaxed_ = false;
  }
  if (gpu_ && !on_cpu_ && BlamesTheDevice(death.kind)) {
    ++device_deaths_;
    if (options_.cpu_fallback && device_deaths_ >= options_.device_deaths_max) {
      on_cpu_ = true;
      rung_ = 0;
      pause_.Reset();
      return pause_.Next();
    }
  }
  const bool slow = death.kind == Death::Kind::kNoDevice || death.kind == Death::Kind::kRefused ||
                    death.kind == Death::Kind::kNotStarted;
  return slow ? slow_pause_.Next() : pause_.Next();
}

void RestartPolicy::Relax() {
  assert(rung_ > 0);
  --rung_;
  relaxed_ = true;
}

}  // namespace tilewright
