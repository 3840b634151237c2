#include "coordinator/jobs/job_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

bool IsRequestId(const std::string& id) {
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
  });
}

}  // namespace

absl::StatusOr<std::shared_ptr<JobRecord>> JobStore::Reserve(const std::string& request_id,
                                                             const std::string& digest) {
  if (!IsRequestId(request_id)) {
    return WithReason(absl::InvalidArgumentError(
                          "request_id must be 1 to 64 characters of [A-Za-z0-9_-], chosen by the "
                          "client and repeated by its retries"),
                      "BAD_REQUEST_ID");
  }
  absl::MutexLock lock(&mu_);
  const auto found = by_request_.find(request_id);
  if (found != by_request_.end()) {
    if (found->second.digest != digest) {
      return WithReason(absl::AlreadyExistsError(absl::StrCat(
                            "request_id '", request_id,
                            "' was used before for another request: choose a fresh one")),
                        "REQUEST_ID_REUSED");
    }
    if (found->second.job == nullptr) {
      return WithReason(absl::UnavailableError(absl::StrCat("request_id '", request_id,
                                                            "' is being submitted: try again")),
                        "SUBMIT_UNDER_WAY");
    }
    return found->second.job;
  }
  int64_t open = 0;
  for (const auto& [id, submit] : by_request_) {
    if (submit.job == nullptr || !submit.job->ended()) ++open;
  }
  if (open >= options_.open_max) {
    return WithReason(
        absl::ResourceExhaustedError(absl::StrCat("this coordinator has ", open,
                                                  " unfinished jobs, as many as it takes: try "
                                                  "again when some have ended")),
        "TOO_MANY_JOBS");
  }
  by_request_[request_id] = Submit{digest, nullptr};
  return std::shared_ptr<JobRecord>();
}

void JobStore::Commit(const std::string& request_id, std::shared_ptr<JobRecord> job) {
  absl::MutexLock lock(&mu_);
  const int64_t number = next_number_++;
  number_of_[job->name()] = number;
  by_request_[request_id].job = job;
  by_number_[number] = Entry{std::move(job), request_id};
  ForgetOldest();
}

void JobStore::Release(const std::string& request_id) {
  absl::MutexLock lock(&mu_);
  by_request_.erase(request_id);
}

void JobStore::ForgetOldest() {
  int64_t ended = std::count_if(by_number_.begin(), by_number_.end(),
                                [](const auto& entry) { return entry.second.job->ended(); });
  for (auto it = by_number_.begin(); it != by_number_.end() && ended > options_.ended_max;) {
    if (!it->second.job->ended()) {
      ++it;
      continue;
    }
    if (options_.on_forgotten) options_.on_forgotten(*it->second.job);
    number_of_.erase(it->second.job->name());
    by_request_.erase(it->second.request_id);
    it = by_number_.erase(it);
    --ended;
  }
}

absl::StatusOr<std::shared_ptr<JobRecord>> JobStore::Find(const std::string& name) const {
  absl::MutexLock lock(&mu_);
  const auto found = number_of_.find(name);
  if (found == number_of_.end()) {
    return WithReason(
        absl::NotFoundError(absl::StrCat("there is no job '", name,
                                         "': names look like jobs/0a1b2c3d; ended jobs are "
                                         "forgotten after ",
                                         options_.ended_max, " others and by a restart")),
        "UNKNOWN_JOB");
  }
  return by_number_.at(found->second).job;
}

absl::StatusOr<JobStore::Page> JobStore::List(int page_size, const std::string& page_token) const {
  int64_t before = INT64_MAX;
  if (!page_token.empty() && !absl::SimpleAtoi(page_token, &before)) {
    return WithReason(absl::InvalidArgumentError(absl::StrCat(
                          "page_token '", page_token, "' is none that this coordinator gave")),
                      "BAD_PAGE_TOKEN");
  }
  Page page;
  absl::MutexLock lock(&mu_);
  auto it = by_number_.lower_bound(before);
  while (it != by_number_.begin()) {
    if (static_cast<int>(page.jobs.size()) == page_size) {
      page.next_token = absl::StrCat(it->first);
      break;
    }
    --it;
    page.jobs.push_back(it->second.job);
  }
  return page;
}

std::vector<std::shared_ptr<JobRecord>> JobStore::Open() const {
  std::vector<std::shared_ptr<JobRecord>> open;
  absl::MutexLock lock(&mu_);
  for (const auto& [number, entry] : by_number_) {
    if (!entry.job->ended()) open.push_back(entry.job);
  }
  return open;
}

}  // namespace tilewright
