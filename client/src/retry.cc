#include "client/src/retry.h"

#include <algorithm>
#include <chrono>

#include "absl/time/clock.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

constexpr absl::Duration kFirstPause = absl::Milliseconds(200);
constexpr absl::Duration kLongestPause = absl::Seconds(2);

}  // namespace

Instant SteadyNow() {
  return Instant::FromStart(absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()));
}

void SetDeadline(grpc::ClientContext& context, absl::Duration timeout) {
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
}

Backoff::Backoff(absl::Duration retry_for) : retry_for_(retry_for) { Reset(); }

void Backoff::Reset() {
  give_up_at_ = SteadyNow() + retry_for_;
  pause_ = kFirstPause;
}

bool Backoff::SleepBeforeNext() {
  if (SteadyNow() + pause_ > give_up_at_) return false;
  absl::SleepFor(pause_);
  pause_ = std::min(2 * pause_, kLongestPause);
  return true;
}

absl::Status CallWithRetry(absl::Duration call_timeout, absl::Duration retry_for,
                           absl::FunctionRef<grpc::Status(grpc::ClientContext&)> call) {
  Backoff backoff(retry_for);
  for (;;) {
    grpc::ClientContext context;
    SetDeadline(context, call_timeout);
    const absl::Status status = FromGrpc(call(context));
    if (!absl::IsUnavailable(status) || !backoff.SleepBeforeNext()) return status;
  }
}

}  // namespace tilewright
