#include "coordinator/service/quota_flag.h"

#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace tilewright {
namespace {

absl::Status ReadKey(absl::string_view key, absl::string_view value, TenantQuota* quota) {
  if (key == "share") {
    if (absl::SimpleAtod(value, &quota->share) && quota->share > 0 && std::isfinite(quota->share)) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(absl::StrCat("share '", value, "' is no number above 0"));
  }
  if (key == "jobs") {
    if (absl::SimpleAtoi(value, &quota->open_jobs_max) && quota->open_jobs_max >= 0) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(absl::StrCat("jobs '", value, "' is no count"));
  }
  if (key == "bytes") {
    if (absl::SimpleAtoi(value, &quota->open_bytes_max) && quota->open_bytes_max >= 0) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(absl::StrCat("bytes '", value, "' is no count"));
  }
  if (key == "priority") {
    if (absl::SimpleAtoi(value, &quota->priority_max) && quota->priority_max >= kPriorityMin &&
        quota->priority_max <= kPriorityMax) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        absl::StrCat("priority '", value, "' is none from ", kPriorityMin, " to ", kPriorityMax));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", key, "' is none of share, jobs, bytes, priority"));
}

}  // namespace

absl::Status ParseQuota(absl::string_view text, std::map<std::string, TenantQuota>* quotas,
                        TenantQuota* default_quota) {
  const auto wrong = [text](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("--quota '", text, "': ", why));
  };
  // A tenant's name may hold colons; what follows it does not.
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos || colon == 0) {
    return wrong("write TENANT:KEY=VALUE,… as in --help");
  }
  const std::string tenant(text.substr(0, colon));
  TenantQuota quota;
  for (const absl::string_view part : absl::StrSplit(text.substr(colon + 1), ',')) {
    const std::pair<absl::string_view, absl::string_view> setting =
        absl::StrSplit(part, absl::MaxSplits('=', 1));
    const absl::Status read = ReadKey(setting.first, setting.second, &quota);
    if (!read.ok()) return wrong(read.message());
  }
  if (tenant == "*") {
    *default_quota = quota;
    return absl::OkStatus();
  }
  if (!quotas->emplace(tenant, quota).second) return wrong("the tenant has a quota already");
  return absl::OkStatus();
}

}  // namespace tilewright
