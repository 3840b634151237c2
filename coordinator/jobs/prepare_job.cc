#include "coordinator/jobs/prepare_job.h"

#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "coordinator/image/decoded_copy.h"
#include "coordinator/jobs/chosen_stages.h"
#include "coordinator/jobs/input_error.h"
#include "coordinator/jobs/marked_tiles.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

bool ComesInOrder(const std::shared_ptr<ImageReader>& reader) {
  return reader != nullptr && reader->info().access != ImageAccess::kAnywhere;
}

// `what` names it in sentences.
absl::Status MakeReadable(const char* what, const PrepareContext& context,
                          std::shared_ptr<ImageReader>* reader) {
  if (!ComesInOrder(*reader)) return absl::OkStatus();
  const ImageInfo& info = (*reader)->info();
  context.work.Tell(absl::StrCat("Decodes the ", what, ", ", ToString(info.size), " pixels of ",
                                 info.format, ", which cannot be read in any order."));
  absl::StatusOr<std::shared_ptr<ImageReader>> copy =
      ReadAnywhere(*reader, context.scratch, context.work.interrupt);
  TW_RETURN_IF_ERROR(CheckInterrupt(context.work.interrupt));
  if (!copy.ok()) return WithInputReason(copy.status());
  *reader = *std::move(copy);
  return absl::OkStatus();
}

}  // namespace

bool NeedsPreparation(const ResolvedJob& job) {
  return job.mask != nullptr ||
         (job.anywhere && (ComesInOrder(job.reader) || ComesInOrder(job.previous_reader)));
}

absl::Status PrepareFigures(const PrepareContext& context, ResolvedJob* job) {
  if (job->mask == nullptr) return absl::OkStatus();
  TW_RETURN_IF_ERROR(MakeReadable("mask", context, &job->mask_reader));
  TW_ASSIGN_OR_RETURN(job->mask, Mask::Create(*job->mask_reader, job->reader->info()));
  context.work.Tell("Looks up in the mask which tiles are to be computed.");
  absl::StatusOr<WantedTiles> wanted =
      MarkedTiles(*job->plan, job->mask.get(), context.work.interrupt);
  TW_RETURN_IF_ERROR(CheckInterrupt(context.work.interrupt));
  if (!wanted.ok()) return WithInputReason(wanted.status());
  job->wanted = std::make_shared<const WantedTiles>(*std::move(wanted));
  job->spec.tile_count = job->wanted->count();
  ChooseBefore(*job->wanted, job);
  const std::vector<int64_t> skipped = SkippedTiles(*job);
  job->summary.set_skipped_tiles(
      static_cast<uint64_t>(std::accumulate(skipped.begin(), skipped.end(), int64_t{0})));
  std::vector<std::string> notes;
  NoteSkipped(*job, &notes);
  for (const std::string& note : notes) job->summary.add_notes(note);
  return absl::OkStatus();
}

absl::Status PrepareJob(const PrepareContext& context, ResolvedJob* job) {
  if (job->anywhere) {
    TW_RETURN_IF_ERROR(MakeReadable("image", context, &job->reader));
    TW_RETURN_IF_ERROR(MakeReadable("previous frame", context, &job->previous_reader));
  }
  return PrepareFigures(context, job);
}

}  // namespace tilewright
