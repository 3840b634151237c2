// Client::Watch and Wait: one stream after another until the job has ended.

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/src/connection.h"
#include "client/src/convert.h"
#include "proto/base/status_macros.h"
#include "proto/wire/status_details.h"
#include "tilewright/client.h"

namespace tilewright {
namespace {

// A stream is opened anew after this long, so that none lives for ever.
constexpr absl::Duration kStreamTimeout = absl::Minutes(10);

}  // namespace

absl::StatusOr<Job> Client::Watch(absl::string_view job,
                                  absl::FunctionRef<bool(const Job&)> update) {
  return WatchUntil(job, absl::InfiniteDuration(), update);
}

absl::StatusOr<Job> Client::Wait(absl::string_view job, absl::Duration timeout) {
  return WatchUntil(job, timeout, [](const Job&) { return true; });
}

absl::StatusOr<Job> Client::WatchUntil(absl::string_view job, absl::Duration timeout,
                                       absl::FunctionRef<bool(const Job&)> update) {
  v1::WatchJobRequest request;
  request.set_name(JobName(job));
  const Instant end = SteadyNow() + timeout;
  Backoff backoff(connection_->options.retry_for);
  std::optional<Job> last;
  for (;;) {
    const absl::Duration left = end - SteadyNow();
    if (left <= absl::ZeroDuration()) {
      return absl::DeadlineExceededError(absl::StrCat(
          request.name(), " has not ended within ", absl::FormatDuration(timeout), "; it goes on"));
    }
    grpc::ClientContext context;
    const Instant reopen_at = SteadyNow() + std::min(left, kStreamTimeout);
    SetDeadline(context, reopen_at - SteadyNow());
    const auto reader = connection_->render->WatchJob(&context, request);
    v1::WatchJobResponse response;
    while (reader->Read(&response)) {
      backoff.Reset();
      last = JobFromProto(response.job());
      if (!update(*last) || HasEnded(last->state)) {
        context.TryCancel();
        (void)reader->Finish();  // whatever it says, the news is here
        return *std::move(last);
      }
    }
    const absl::Status status = FromGrpc(reader->Finish());
    // Our own deadline is no trouble. A stream that ends well in mid-job is a coordinator that is
    // leaving.
    if (absl::IsDeadlineExceeded(status)) continue;
    if (!status.ok() && !absl::IsUnavailable(status) && !absl::IsCancelled(status)) return status;
    if (!backoff.SleepBeforeNext()) {
      return WithReason(absl::UnavailableError(absl::StrCat(
                            "lost sight of ", request.name(), " for ",
                            absl::FormatDuration(connection_->options.retry_for), " (",
                            status.message(), "): it may go on; look again with jobs watch")),
                        "COORDINATOR_UNREACHABLE");
    }
  }
}

}  // namespace tilewright
