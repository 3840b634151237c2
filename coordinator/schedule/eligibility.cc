#include "coordinator/schedule/eligibility.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "coordinator/schedule/sentences.h"

namespace tilewright::schedule {
namespace {

std::string Offered(const std::set<std::string>& offered) {
  return offered.empty() ? "it has none" : absl::StrCat("it has ", absl::StrJoin(offered, ", "));
}

}  // namespace

std::string WhyNotEligible(const JobSpec& job, const WorkerOffer& offer, int64_t memory_floor) {
  if (!offer.engines.contains(job.engine)) {
    return absl::StrCat("does not run the engine ", job.engine, " (", Offered(offer.engines), ")");
  }
  const auto own = offer.engine_dtypes.find(job.engine);
  const std::set<std::string>& dtypes =
      own == offer.engine_dtypes.end() ? offer.dtypes : own->second;
  if (!dtypes.contains(job.dtype)) {
    return absl::StrCat("does not compute in ", job.dtype, " (", Offered(dtypes), ")");
  }
  if (memory_floor > 0 && offer.memory_bytes < memory_floor) {
    return absl::StrCat("has ", BytesText(offer.memory_bytes),
                        " of memory, and a tile of this size was seen to need more than ",
                        BytesText(memory_floor - 1));
  }
  if (offer.credit_bytes > 0 && CreditBytesOfTile(job) > offer.credit_bytes) {
    return absl::StrCat("holds at most ", BytesText(offer.credit_bytes),
                        ", and one tile with its result takes ", BytesText(CreditBytesOfTile(job)));
  }
  if (offer.credit_tiles < 1) return "takes no tiles now (its credit is 0)";
  return "";
}

int64_t CreditBytesOfTile(const JobSpec& job) { return job.input_bytes + job.output_bytes; }

}  // namespace tilewright::schedule
