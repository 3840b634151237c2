#include "tests/coordinator/schedule/decisions_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace tilewright {
namespace {

// Leases of the first coordinator go by their number alone; after a restart "2/1" is the first one
// of the second coordinator.
std::string LeaseText(const LeaseKey& lease) {
  return lease.epoch == 1 ? absl::StrCat(lease.sequence)
                          : absl::StrCat(lease.epoch, "/", lease.sequence);
}

std::string VerdictText(const VerdictOn& verdict) {
  switch (verdict.verdict) {
    case Verdict::kAccepted:
      return "ACCEPTED";
    case Verdict::kDuplicate:
      return absl::StrCat("DUPLICATE: ", verdict.text);
    case Verdict::kRefused:
      return absl::StrCat("REFUSED ", verdict.reason, ": ", verdict.text);
    case Verdict::kDoubted:
      return absl::StrCat("DOUBTED ", verdict.reason, ": ", verdict.text);
  }
  return "";
}

// Empty for what other lines tell as well: submissions, accepted tiles, arrivals and departures.
std::string RecordText(const Record& record) {
  switch (record.kind) {
    case Record::Kind::kJobSubmitted:
    case Record::Kind::kTileAccepted:
    case Record::Kind::kWorkerJoined:
    case Record::Kind::kWorkerGone:
      return "";
    case Record::Kind::kJobClass: {
      const char* promise = record.promise == Promise::kTolerant ? "tolerant" : "strict class ";
      return absl::StrCat(record.job, " class: ", promise, record.value);
    }
    case Record::Kind::kJobPaused:
      return absl::StrCat(record.job, " paused");
    case Record::Kind::kJobResumed:
      return absl::StrCat(record.job, " resumed");
    case Record::Kind::kJobPriority:
      return absl::StrCat(record.job, " priority ", record.number);
    case Record::Kind::kTileFailed:
      return absl::StrCat(record.job, " tile ", record.number, " failed");
    case Record::Kind::kTileRetried:
      return absl::StrCat(record.job, " tile ", record.number, " retried");
    case Record::Kind::kTileHole:
      return absl::StrCat(record.job, " tile ", record.number, " is a hole");
    case Record::Kind::kJobEnded:
      return absl::StrCat(record.job, " ended: ", record.value);
  }
  return "";
}

}  // namespace

std::string Describe(const Decisions& decisions) {
  std::string out;
  for (const Record& record : decisions.records) {
    const std::string text = RecordText(record);
    if (!text.empty()) absl::StrAppend(&out, "  record ", text, "\n");
  }
  if (decisions.verdict.has_value())
    absl::StrAppend(&out, "  ", VerdictText(*decisions.verdict), "\n");
  for (const TakeBack& back : decisions.take_backs) {
    absl::StrAppend(
        &out, "  take back from ", back.worker, " lease ", LeaseText(back.lease),
        back.tiles.empty() ? "" : absl::StrCat(" tile ", absl::StrJoin(back.tiles, " ")), ": ",
        back.reason, "\n");
  }
  for (const CanaryOrder& canary : decisions.canaries) {
    absl::StrAppend(&out, "  canary ", canary.canary, " for ", canary.worker, " of ", canary.job,
                    "\n");
  }
  for (const Grant& grant : decisions.grants) {
    absl::StrAppend(&out, "  grant ", grant.worker, " lease ", LeaseText(grant.lease), " of ",
                    grant.job, ": ", grant.tiles.size() == 1 ? "tile " : "tiles ",
                    absl::StrJoin(grant.tiles, " "), "\n");
  }
  for (const std::string& worker : decisions.sync_requests)
    absl::StrAppend(&out, "  ask ", worker, " for a sync\n");
  for (const std::string& worker : decisions.disconnects)
    absl::StrAppend(&out, "  disconnect ", worker, "\n");
  for (const std::string& job : decisions.job_starts) absl::StrAppend(&out, "  ", job, " starts\n");
  for (const Notice& notice : decisions.notices) {
    absl::StrAppend(&out, "  ", notice.kind, ": ", notice.text, "\n");
  }
  for (const Hole& hole : decisions.holes) {
    absl::StrAppend(&out, "  hole in ", hole.job, ": tile ", hole.tile, "\n");
  }
  for (const JobEnd& end : decisions.job_ends) {
    absl::StrAppend(&out, "  ", end.job, " ends: ", end.status.ok() ? "OK" : end.status.ToString(),
                    "\n");
  }
  return out;
}

}  // namespace tilewright
