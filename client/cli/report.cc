#include "client/cli/report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/cli/progress.h"
#include "client/cli/stage_flags.h"
#include "client/cli/text_table.h"
#include "tilewright/error.h"

namespace tilewright {
namespace {

// A report names as many; --json names more.
constexpr size_t kHolesShownMax = 100;

// "1 hole", "2 holes".
std::string CountText(uint64_t count, const char* one, const char* many) {
  return absl::StrCat(count, " ", count == 1 ? one : many);
}

// "64x48 at 128,0".
std::string PlaceText(const Hole& hole) {
  return absl::StrCat(hole.width, "x", hole.height, " at ", hole.x, ",", hole.y);
}

std::string SizeText(uint32_t width, uint32_t height) { return absl::StrCat(width, "x", height); }

// Of tiles that a mask or a region makes needless.
std::string SkippedText(const Plan& plan) {
  return plan.skipped_tiles > 0 ? absl::StrCat(", ", plan.skipped_tiles, " skipped") : "";
}

// A row for each of several stages.
void AddStages(const Plan& plan, const std::vector<uint64_t>& tiles_done,
               std::vector<std::vector<std::string>>& rows) {
  int number = 0;
  for (std::string& text : StageTexts(plan, tiles_done)) {
    rows.push_back({absl::StrCat("stage ", number++), std::move(text)});
  }
}

// Of a job of several stages, their own rows tell more.
std::string GridText(const Plan& plan) {
  if (!plan.stages.empty()) {
    return absl::StrCat(plan.tiles, " in ", plan.stages.size(), " stages", SkippedText(plan));
  }
  return absl::StrCat(plan.columns, " x ", plan.rows, " = ", plan.tiles, " of ",
                      SizeText(plan.tile_width, plan.tile_height), ", halo ", plan.halo,
                      ", overlap ", plan.overlap, ", window ", plan.window, SkippedText(plan));
}

}  // namespace

std::string PlanReport(const Plan& plan) {
  std::vector<std::vector<std::string>> rows = {
      {"model", plan.model},
      {"input",
       absl::StrCat(
           SizeText(plan.input_width, plan.input_height), ", ", plan.channels,
           plan.channels == 1 ? " channel" : " channels",
           plan.input_pages > 1 ? absl::StrCat(", one of ", plan.input_pages, " pages") : "")},
      {"output",
       absl::StrCat(SizeText(plan.output_width, plan.output_height), " ", plan.output_sample)},
      {"tiles", GridText(plan)},
      {"halo overhead",
       absl::StrFormat("%.2fx the picture goes through the model", plan.halo_overhead)},
      {"memory",
       absl::StrCat("about ", BytesText(plan.memory_bytes), " at the coordinator, at least ",
                    BytesText(plan.memory_floor_bytes))},
      {"disk", absl::StrCat(BytesText(plan.disk_bytes), " uncompressed",
                            plan.disk_free_bytes > 0
                                ? absl::StrCat(", ", BytesText(plan.disk_free_bytes), " free")
                                : "")},
  };
  AddStages(plan, {}, rows);
  if (!plan.compression.empty()) {
    rows.push_back(
        {"file",
         absl::StrCat("TIFF in tiles of ", plan.tiff_tile, ", compression ", plan.compression, ", ",
                      CountText(plan.overview_levels, "overview", "overviews"))});
  }
  std::string label = "workers";
  if (plan.matches.empty()) rows.push_back({label, "none is connected"});
  for (const WorkerMatch& match : plan.matches) {
    rows.push_back({label, match.eligible ? absl::StrCat(match.worker, ": can do it")
                                          : absl::StrCat(match.worker, ": no, ", match.reason)});
    label.clear();
  }
  for (const std::string& note : plan.notes) rows.push_back({"note", note});
  return TextTable(rows);
}

std::string JobReport(const Job& job, bool with_events) {
  std::vector<std::vector<std::string>> rows = {
      {"job", job.name},
      {"state", StateText(job)},
      {"input", job.input},
      {"output", job.output},
      {"model", job.plan.model},
      {"size", absl::StrCat(SizeText(job.plan.input_width, job.plan.input_height), " -> ",
                            SizeText(job.plan.output_width, job.plan.output_height))},
      {"tiles",
       absl::StrCat(
           job.tiles_done, " of ", job.plan.tiles,
           job.plan.stages.empty()
               ? absl::StrCat(" (", job.plan.columns, " x ", job.plan.rows, "), ")
               : absl::StrCat(" in ", job.plan.stages.size(), " stages, "),
           job.attempts, " attempts",
           job.copies > 0 ? absl::StrCat(", ", CountText(job.copies, "copy", "copies")) : "",
           SkippedText(job.plan))},
  };
  AddStages(job.plan, job.stage_tiles_done, rows);
  if (job.priority != 0 || (!job.tenant.empty() && job.tenant != "default")) {
    rows.push_back({"priority", absl::StrCat(job.priority, ", tenant ", job.tenant)});
  }
  std::string time = absl::StrFormat("%.2f s", absl::ToDoubleSeconds(job.elapsed));
  const Progress progress = ProgressOf(job);
  if (progress.megapixels_per_second > 0) {
    absl::StrAppendFormat(&time, ", %.2f Mpx/s of output while computing",
                          progress.megapixels_per_second);
  }
  rows.push_back({"time", time});
  if (!job.workers.empty()) {
    rows.push_back({"workers", absl::StrJoin(job.workers, ", ",
                                             [](std::string* out, const WorkerShare& share) {
                                               absl::StrAppend(out, share.name, " ", share.tiles);
                                             })});
  }
  if (!job.exactness.empty()) {
    std::string bits = absl::StrCat(job.exactness, job.promise.empty() ? "" : ", ", job.promise,
                                    ", ", job.numeric_classes.size(), " numeric class(es)");
    if (job.largest_difference.has_value()) {
      absl::StrAppendFormat(&bits, ", raw outputs known to differ by up to %.3g",
                            *job.largest_difference);
    }
    rows.push_back({"bits", bits});
  }
  std::vector<std::string> memory_steps;
  for (const LadderCount& count : job.ladder) {
    if (count.step == "no_graph") {
      rows.push_back({"CUDA graph", absl::StrCat("done without for ",
                                                 CountText(count.attempts, "tile", "tiles"))});
      continue;
    }
    memory_steps.push_back(
        absl::StrCat(absl::StrReplaceAll(count.step, {{"_", " "}}), " ", count.attempts));
  }
  if (!memory_steps.empty()) {
    rows.push_back({"out of memory", absl::StrJoin(memory_steps, ", ")});
  }
  if (job.held_bytes + job.spilled_bytes > 0) {
    rows.push_back({"memory", absl::StrCat(BytesText(job.held_bytes), " at the coordinator, ",
                                           BytesText(job.spilled_bytes), " in its scratch file")});
  }
  if (!job.waits_for_room.empty()) rows.push_back({"no room", Printable(job.waits_for_room)});
  if (job.continued_tiles > 0) {
    rows.push_back({"continued", absl::StrCat(CountText(job.continued_tiles, "tile", "tiles"),
                                              " of an unfinished job taken over")});
  }
  if (job.checkpoint_tiles > 0) {
    rows.push_back({"checkpoint", absl::StrCat(CountText(job.checkpoint_tiles, "tile", "tiles"),
                                               " safe for --continue")});
  }
  if (job.copied_blocks > 0) {
    rows.push_back({"copied", absl::StrCat(CountText(job.copied_blocks, "block", "blocks"),
                                           " of the input as stored, not compressed again")});
  }
  if (job.constant_results > 0) {
    rows.push_back(
        {"suspicion", absl::StrCat(CountText(job.constant_results, "tile is", "tiles are"),
                                   " one constant though the input is not")});
  }
  if (!job.pixel_hash.empty()) rows.push_back({"pixel hash", job.pixel_hash});
  if (!job.error.ok()) rows.push_back({"error", std::string(job.error.message())});
  if (!job.partial_output.empty()) {
    rows.push_back(
        {"left", absl::StrCat(job.partial_output, " on the coordinator's machine, without ",
                              CountText(job.missing_tile_count, "tile", "tiles"), ", named in ",
                              job.partial_output, ".missing.json")});
  }
  if (job.failed_tile_count > 0) {
    rows.push_back({"failed tiles", TilesText(job.failed_tiles, job.failed_tile_count)});
  }
  std::string label = job.hole_count > 0 ? CountText(job.hole_count, "hole", "holes") : "";
  const size_t shown = std::min(job.holes.size(), kHolesShownMax);
  for (size_t i = 0; i < shown; ++i) {
    rows.push_back(
        {label, absl::StrCat("tile ", job.holes[i].tile, ", ", PlaceText(job.holes[i]))});
    label.clear();
  }
  if (job.hole_count > shown) {
    rows.push_back({label, absl::StrCat("and ", job.hole_count - shown, " more")});
  }
  std::string report = TextTable(rows);
  absl::StrAppend(&report, DecisionText(job));
  if (with_events && !job.events.empty()) {
    absl::StrAppend(&report, "events\n");
    for (const Event& event : job.events) {
      absl::StrAppendFormat(&report, "  %8.2f s  %s\n", absl::ToDoubleSeconds(event.at),
                            EventText(event));
    }
  }
  return report;
}

std::string EventText(const Event& event) {
  std::string text = event.kind;
  if (event.tile.has_value()) absl::StrAppend(&text, ", tile ", *event.tile);
  if (!event.worker.empty()) absl::StrAppend(&text, ", worker ", event.worker);
  if (!event.text.empty()) absl::StrAppend(&text, ": ", event.text);
  return Printable(text);
}

std::string ErrorSentence(const absl::Status& error) {
  const std::string reason = ErrorReason(error);
  const std::optional<absl::Duration> retry = ErrorRetryAfter(error);
  return absl::StrCat(
      Printable(error.message()),
      retry.has_value() ? absl::StrCat(" (try again in ", ClockText(*retry), ")") : "",
      reason.empty() ? "" : absl::StrCat(" [", reason, "]"));
}

std::string ErrorText(const absl::Status& error) {
  return absl::StrCat("tilewright: ", ErrorSentence(error));
}

}  // namespace tilewright
