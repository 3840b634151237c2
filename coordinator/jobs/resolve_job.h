// From a request to numbers: model, input, geometry, output format, estimates. Everything that can
// be refused without reading images is refused here, before anything is created. Thread-safe: a
// function and values.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_RESOLVE_JOB_H_
#define TILEWRIGHT_COORDINATOR_JOBS_RESOLVE_JOB_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/image/image_reader.h"
#include "coordinator/image/mask.h"
#include "coordinator/image/output_file.h"
#include "coordinator/jobs/roots.h"
#include "coordinator/jobs/uploads.h"
#include "coordinator/merge/canvas.h"
#include "coordinator/merge/memory_budget.h"
#include "coordinator/models/repository.h"
#include "coordinator/plan/stage_plan.h"
#include "coordinator/plan/wanted_tiles.h"
#include "coordinator/schedule/types.h"
#include "tilewright/v1/render_service.pb.h"
#include "tilewright/v1/worker_service.pb.h"

namespace tilewright {

// What the coordinator has and allows. All must outlive the call.
struct ResolveContext {
  const ModelRepository& models;
  const Roots& roots;
  const Uploads& uploads;
  ImageLimits limits;
  std::string downloads;  // folder of outputs that are downloaded
};

// One stage of a job as numbers; nothing of it changes any more.
struct ResolvedStage {
  int number = 0;                          // in its job
  const RepositoryModel* model = nullptr;  // of the repository
  std::shared_ptr<const StagePlan> plan;
  std::shared_ptr<const WantedTiles> wanted;
  ImageInfo input;                // the image that it reads
  std::vector<ImageInfo> beside;  // what its tiles hold beside that; of no size: zeros
  CanvasFormat format;            // of the canvas that its tiles are merged to
  std::string dtype;
  std::string exactness;
  v1::StageSpec stage;  // without the job's name
  JobSpec spec;         // the same
  JobMemory memory;

  // Channels of its tiles.
  int tile_channels() const;
};

// A job as numbers; as a stage it is its last one. What takes reading its images is missing until
// it is prepared (prepare_job.h): its mask has skipped nothing, and where it is read anywhere, its
// readers may still read in order only.
struct ResolvedJob : ResolvedStage {
  v1::RenderRequest request;
  std::vector<ResolvedStage> before;  // the stages before the last, in order
  bool anywhere = false;  // its images are read in any order; `input` and `beside` say so already
  std::shared_ptr<ImageReader> reader;
  int64_t input_pages = 1;                       // of the file that is read, or was uploaded
  std::shared_ptr<ImageReader> mask_reader;      // null: no mask
  std::unique_ptr<Mask> mask;                    // of mask_reader
  std::shared_ptr<ImageReader> previous_reader;  // null: no previous frame
  bool decided = false;                          // the canvas holds logits, labels are written
  CanvasFormat written;                          // of the file: `format`, or what is decided of it
  std::optional<Size> resampled;  // what the canvas is resampled to when it is published
  OutputKind kind = OutputKind::kTiff;
  TiffEncoding encoding;    // of the TIFF, that an export is made from too
  std::string output_path;  // empty: named by the job (download)
  std::string output_extension;
  std::vector<std::string> uploads;  // URIs of those that are read
  v1::FileFacts input_facts;         // as it was opened; empty for an upload
  v1::FileFacts mask_facts;
  v1::FileFacts previous_facts;
  v1::PlanSummary summary;

  Size published_size() const { return resampled.value_or(format.size); }
};

// Quick: of files, only headers are read. Errors carry a reason (status_details.h): BAD_REQUEST,
// UNKNOWN_MODEL, INPUT_NOT_FOUND, INPUT_NOT_READABLE, INPUT_CHANGED, NOT_AN_IMAGE, LIMIT_EXCEEDED,
// BAD_URI, OUTSIDE_ROOT, NO_SUCH_PAGE, CHANNEL_MISMATCH, TILE_TOO_SMALL, BAD_GEOMETRY,
// BAD_OUTPUT_FORMAT, OUTPUT_EXISTS, BAD_MASK, MASK_MISSING, BAD_PREVIOUS. A job that has a mask or
// whose model takes more than the image reads all of them anywhere.
absl::StatusOr<ResolvedJob> ResolveJob(const v1::RenderRequest& request,
                                       const ResolveContext& context);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_RESOLVE_JOB_H_
