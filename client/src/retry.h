// Repeats idempotent calls while the coordinator is UNAVAILABLE. Thread-safe.

#ifndef TILEWRIGHT_CLIENT_SRC_RETRY_H_
#define TILEWRIGHT_CLIENT_SRC_RETRY_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "proto/base/instant.h"

namespace tilewright {

// Now on the steady clock.
Instant SteadyNow();

// Gives a call `timeout` from now.
void SetDeadline(grpc::ClientContext& context, absl::Duration timeout);

// The pauses between attempts, 0.2 s doubling to 2 s, until `retry_for` has passed since the last
// Reset.
class Backoff {
 public:
  explicit Backoff(absl::Duration retry_for);

  // Something good happened: the time starts anew, pauses are short again.
  void Reset();

  // Sleeps before another attempt and returns true, or returns false at once if the pause would end
  // too late.
  bool SleepBeforeNext();

 private:
  const absl::Duration retry_for_;
  Instant give_up_at_;
  absl::Duration pause_;
};

// Runs `call` with a fresh context of `call_timeout`, again while it says UNAVAILABLE, within
// `retry_for`. For idempotent calls only. The last error is returned.
absl::Status CallWithRetry(absl::Duration call_timeout, absl::Duration retry_for,
                           absl::FunctionRef<grpc::Status(grpc::ClientContext&)> call);

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_SRC_RETRY_H_
