#include "tilewright/sequence.h"

#include <algorithm>
#include <set>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "client/src/frame_pattern.h"
#include "client/src/input_pages.h"
#include "proto/base/status_macros.h"
#include "proto/wire/status_details.h"
#include "tilewright/error.h"

namespace tilewright {
namespace {

absl::Status BadSequence(std::string text) {
  return WithReason(absl::InvalidArgumentError(std::move(text)), "BAD_REQUEST");
}

absl::Status CheckSequence(const SequenceRequest& request) {
  if (request.in_flight < 1 || request.in_flight > Sequence::kInFlightMax) {
    return BadSequence(absl::StrCat(request.in_flight,
                                    " frames in flight are out of range: give 1 to ",
                                    Sequence::kInFlightMax));
  }
  if (!request.frame.request_id.empty()) {
    return BadSequence("a request id names one job, and a sequence has many: leave it away");
  }
  if (request.first.has_value() != request.last.has_value()) {
    return BadSequence("give the first and the last frame, or neither");
  }
  if (request.first.has_value() && *request.first > *request.last) {
    return BadSequence(absl::StrCat("the first frame, ", *request.first, ", comes after the last, ",
                                    *request.last));
  }
  if (request.skip_existing && request.frame.overwrite) {
    return BadSequence("frames that exist are skipped or overwritten, not both");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<uint64_t>> NumbersOf(const SequenceRequest& request) {
  if (!request.first.has_value()) return FindFrames(request.frame.input, Sequence::kFramesMax);
  const uint64_t more = *request.last - *request.first;
  if (more >= Sequence::kFramesMax) {
    return WithReason(absl::ResourceExhaustedError(absl::StrCat(
                          "frames ", *request.first, " to ", *request.last, " are more than ",
                          Sequence::kFramesMax, ": render them in parts")),
                      "TOO_MANY_FRAMES");
  }
  std::vector<uint64_t> numbers;
  for (uint64_t i = 0; i <= more; ++i) numbers.push_back(*request.first + i);
  return numbers;
}

// Refused because there are others, ours perhaps.
bool MayGoLater(const absl::Status& status) {
  const std::string reason = ErrorReason(status);
  return reason == "TOO_MANY_JOBS" || reason == "QUOTA_EXCEEDED" || reason == "TOO_MANY_WATCHERS";
}

absl::Status StatusOf(const Job& job) {
  switch (job.state) {
    case JobState::kSucceeded:
      return absl::OkStatus();
    case JobState::kCancelled:
      return absl::CancelledError(absl::StrCat(job.name, " was cancelled"));
    default:
      return job.error.ok()
                 ? absl::InternalError(absl::StrCat(job.name, " has not ended; this is a bug"))
                 : job.error;
  }
}

}  // namespace

class Sequence::Impl {
 public:
  Impl(Client* client, SequenceRequest request, FramePattern input, FramePattern output,
       FramePattern mask, std::vector<uint64_t> numbers)
      : client_(client),
        request_(std::move(request)),
        input_(std::move(input)),
        output_(std::move(output)),
        mask_(std::move(mask)),
        numbers_(std::move(numbers)) {}

  const std::vector<uint64_t>& numbers() const { return numbers_; }

  RenderRequest RequestOf(uint64_t number) const {
    RenderRequest frame = request_.frame;
    frame.input = input_.NameOf(number);
    if (!input_.numbered()) frame.page = static_cast<uint32_t>(number);
    frame.output = output_.NameOf(number);
    if (!frame.mask.empty()) frame.mask = mask_.NameOf(number);
    return frame;
  }

  std::vector<FrameResult> Run(absl::FunctionRef<void(const FrameResult&)> ended) {
    std::vector<FrameResult> results(numbers_.size());
    const auto body = [&] {
      for (;;) {
        const size_t index = Take();
        if (index == numbers_.size()) return;
        results[index] = Render(numbers_[index]);
        absl::MutexLock lock(&ended_mu_);
        ended(results[index]);
      }
    };
    std::vector<std::thread> threads;
    const int at_once = request_.feed_back ? 1 : request_.in_flight;
    const size_t count = std::min(numbers_.size(), static_cast<size_t>(at_once));
    for (size_t i = 1; i < count; ++i) threads.emplace_back(body);
    body();
    for (std::thread& thread : threads) thread.join();
    return results;
  }

  void Cancel() {
    std::set<std::string> jobs;
    {
      absl::MutexLock lock(&mu_);
      stopped_ = true;
      jobs = jobs_;
    }
    // One that cannot be cancelled goes on, and its watch tells how it ends.
    for (const std::string& job : jobs) client_->Cancel(job).IgnoreError();
  }

 private:
  size_t Take() {
    absl::MutexLock lock(&mu_);
    return next_ < numbers_.size() ? next_++ : next_;
  }

  // The output of the nearest frame before that has one.
  std::string FedBack() {
    absl::MutexLock lock(&mu_);
    return last_output_.empty() ? request_.frame.previous : last_output_;
  }

  FrameResult Render(uint64_t number) {
    RenderRequest frame = RequestOf(number);
    if (request_.feed_back) frame.previous = FedBack();
    FrameResult result{number, frame.input, frame.output, false, absl::OkStatus(), std::nullopt};
    absl::StatusOr<Submission> submission = Submit(frame);
    if (!submission.ok()) {
      result.skipped =
          request_.skip_existing && ErrorReason(submission.status()) == "OUTPUT_EXISTS";
      if (!result.skipped) result.status = submission.status();
    } else {
      result.job = submission->job;
      absl::StatusOr<Job> job = client_->Finish(*submission, [](const Job&) { return true; });
      result.status = job.ok() ? StatusOf(*job) : job.status();
      if (job.ok()) result.job = *std::move(job);
    }
    absl::MutexLock lock(&mu_);
    if (submission.ok()) {
      jobs_.erase(submission->job.name);
      --under_way_;
      ++ends_;
    }
    if (absl::IsUnavailable(result.status) && !result.job.has_value()) stopped_ = true;
    if (result.status.ok()) last_output_ = frame.output;
    return result;
  }

  // Waits for the end of another frame as often as the coordinator says that there are too many.
  absl::StatusOr<Submission> Submit(const RenderRequest& frame) {
    for (;;) {
      int64_t ends = 0;
      {
        absl::MutexLock lock(&mu_);
        if (stopped_) return absl::CancelledError("the frame was not begun");
        ends = ends_;
        ++under_way_;
      }
      absl::StatusOr<Submission> submission = client_->Submit(frame);
      absl::ReleasableMutexLock lock(&mu_);
      if (submission.ok()) {
        jobs_.insert(submission->job.name);
        const bool late = stopped_;
        lock.Release();
        if (late) client_->Cancel(submission->job.name).IgnoreError();
        return submission;
      }
      --under_way_;
      if (!MayGoLater(submission.status())) return submission;
      const auto another_ended = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        return ends_ != ends || under_way_ == 0 || stopped_;
      };
      mu_.Await(absl::Condition(&another_ended));
      if (ends_ == ends && under_way_ == 0) return submission;  // they are not ours
    }
  }

  Client* const client_;
  const SequenceRequest request_;
  const FramePattern input_;
  const FramePattern output_;
  const FramePattern mask_;
  const std::vector<uint64_t> numbers_;

  absl::Mutex mu_;
  size_t next_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::string last_output_ ABSL_GUARDED_BY(mu_);  // of the latest frame that has one
  // Frames that are being submitted, and those whose jobs have not ended.
  int under_way_ ABSL_GUARDED_BY(mu_) = 0;
  std::set<std::string> jobs_ ABSL_GUARDED_BY(mu_);  // names of the latter
  int64_t ends_ ABSL_GUARDED_BY(mu_) = 0;            // of jobs
  absl::Mutex ended_mu_;                             // one call of `ended` at a time
};

absl::StatusOr<std::unique_ptr<Sequence>> Sequence::Create(Client* client,
                                                           SequenceRequest request) {
  TW_RETURN_IF_ERROR(CheckSequence(request));
  TW_ASSIGN_OR_RETURN(FramePattern input, FramePattern::Parse(request.frame.input));
  TW_ASSIGN_OR_RETURN(FramePattern output, FramePattern::Parse(request.frame.output));
  TW_ASSIGN_OR_RETURN(FramePattern mask, FramePattern::Parse(request.frame.mask));
  if (!output.numbered()) return NotNumbered(request.frame.output);
  absl::StatusOr<std::vector<uint64_t>> numbers;
  if (input.numbered()) {
    numbers = NumbersOf(request);
  } else {
    request.frame.input = input.NameOf(0);
    const std::string first_mask =
        request.frame.mask.empty() ? "" : mask.NameOf(request.first.value_or(0));
    numbers = FindPages(*client, request, output.NameOf(0), first_mask);
  }
  TW_RETURN_IF_ERROR(numbers.status());
  return std::unique_ptr<Sequence>(new Sequence(
      std::make_unique<Impl>(client, std::move(request), std::move(input), std::move(output),
                             std::move(mask), *std::move(numbers))));
}

Sequence::Sequence(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Sequence::~Sequence() = default;
const std::vector<uint64_t>& Sequence::frames() const { return impl_->numbers(); }
RenderRequest Sequence::RequestOf(uint64_t number) const { return impl_->RequestOf(number); }
std::vector<FrameResult> Sequence::Run(absl::FunctionRef<void(const FrameResult&)> ended) {
  return impl_->Run(ended);
}
void Sequence::Cancel() { impl_->Cancel(); }

}  // namespace tilewright
