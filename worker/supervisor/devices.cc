#include "worker/supervisor/devices.h"

#include <algorithm>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

constexpr int kWorkersMax = 256;

absl::Status Wrong(absl::string_view list, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(
      "--devices is '", list, "': ", why, "; say auto, cpu, cpu*4, cuda, cuda:0,1 or cpu,cuda:0"));
}

bool ParseIndex(absl::string_view text, int most, int* index) {
  return absl::SimpleAtoi(text, index) && *index >= 0 && *index < most;
}

struct Request {
  int cpu_workers = 0;
  bool all_cuda = false;
  std::set<int> cuda;
};

absl::StatusOr<Request> Parse(absl::string_view list) {
  Request request;
  bool after_cuda_index = false;
  for (absl::string_view item : absl::StrSplit(list, ',')) {
    const bool bare = after_cuda_index && !item.empty() && item[0] >= '0' && item[0] <= '9';
    absl::string_view rest = item;
    int number = 0;
    if (bare || absl::ConsumePrefix(&rest, "cuda:")) {
      if (!ParseIndex(rest, kWorkersMax, &number)) {
        return Wrong(list, absl::StrCat("'", item, "' names no CUDA device"));
      }
      if (!request.cuda.insert(number).second) {
        return Wrong(list, absl::StrCat("cuda:", number, " stands there twice"));
      }
      after_cuda_index = true;
      continue;
    }
    after_cuda_index = false;
    if (item == "cuda") {
      if (request.all_cuda) return Wrong(list, "cuda stands there twice");
      request.all_cuda = true;
    } else if (absl::ConsumePrefix(&rest, "cpu")) {
      number = 1;
      if (!rest.empty() && (!absl::ConsumePrefix(&rest, "*") ||
                            !ParseIndex(rest, kWorkersMax + 1, &number) || number == 0)) {
        return Wrong(list, absl::StrCat("'", item, "' names no number of CPU workers"));
      }
      if (request.cpu_workers > 0) return Wrong(list, "cpu stands there twice");
      request.cpu_workers = number;
    } else {
      return Wrong(list, absl::StrCat("'", item, "' is no device"));
    }
  }
  if (request.all_cuda && !request.cuda.empty()) {
    return Wrong(list, "cuda means every CUDA device, those with numbers included");
  }
  return request;
}

}  // namespace

absl::StatusOr<Places> ResolveDevices(absl::string_view list, int cpu_threads,
                                      const std::function<absl::StatusOr<int>()>& count_cuda) {
  Places places;
  Request request;
  const bool automatic = list == "auto";
  if (!automatic) {
    TW_ASSIGN_OR_RETURN(request, Parse(list));
  }
  if (automatic || request.all_cuda) {
    absl::StatusOr<int> count = count_cuda();
    if (count.ok() && *count == 0) {
      count = absl::UnavailableError("the CUDA driver shows no device");
    }
    for (int i = 0; count.ok() && i < *count; ++i) request.cuda.insert(i);
    if (!count.ok() && !automatic) return Annotate(count.status(), "--devices cuda");
    if (!count.ok()) {
      request.cpu_workers = 1;
      places.remark = absl::StrCat("serving on the CPU: ", count.status().message());
    }
  }
  const int cuda_workers = static_cast<int>(request.cuda.size());
  if (request.cpu_workers + cuda_workers > kWorkersMax) {
    return Wrong(list, absl::StrCat("more than ", kWorkersMax, " workers"));
  }

  for (int i = 0; i < request.cpu_workers; ++i) {
    WorkerPlace place;
    place.name = request.cpu_workers == 1 ? "cpu" : absl::StrCat("cpu", i);
    place.device = "cpu";
    // The first workers get what does not divide evenly.
    const int extra = i < cpu_threads % request.cpu_workers ? 1 : 0;
    place.threads = std::max(1, cpu_threads / request.cpu_workers + extra);
    places.workers.push_back(std::move(place));
  }
  for (int index : request.cuda) {
    places.workers.push_back({absl::StrCat("cuda", index), absl::StrCat("cuda:", index), 1});
  }
  places.fallback_threads = std::max(1, cpu_threads / (request.cpu_workers + cuda_workers));
  return places;
}

}  // namespace tilewright
