// The JSON documents that the program prints. Keys only join, none changes its meaning. Pure;
// thread-safe.

#ifndef TILEWRIGHT_CLIENT_CLI_DOCUMENTS_H_
#define TILEWRIGHT_CLIENT_CLI_DOCUMENTS_H_

#include <string>
#include <vector>

#include "tilewright/types.h"

namespace tilewright {

// {job, state, output, tiles, tiles_done, stage_tiles_done, attempts, seconds, compute_seconds,
// output_width, output_height, workers [{name, tiles}], events [{kind, tile, worker, text,
// seconds}], exactness, numeric_classes, largest_difference, promise, pixel_hash, created, error,
// tenant, priority, paused, waits_for_decision, failed_tiles, failed_tile_count, holes [{tile, x,
// y, width, height}], hole_count, copies, ladder {step: attempts}, constant_results, held_bytes,
// spilled_bytes, waits_for_room, partial_output, missing_tile_count, continued_tiles,
// checkpoint_tiles, plan, notes}. stage_tiles_done and plan.stages are empty for a job of one
// stage. failed_tiles and holes name at most the first 1,000, the counts tell all. `notes` are the
// client's, about how files travelled. error is null or {code, reason, message}; tile is null for
// an event that concerns none; largest_difference is null while no two classes are known. Widths
// are pixels, seconds numbers.
std::string JobDocument(const Job& job, const std::vector<std::string>& notes);

// {type: "progress", job, state, tiles_done, tiles, stage_tiles_done, percent,
// megapixels_per_second, eta_seconds, workers, paused, waits_for_decision, failed_tile_count,
// hole_count, waits_for_room}.
std::string ProgressDocument(const Job& job);

// {output, finished}: where a preview lies, and how much of the job's output it shows, 0 to 1.
std::string PreviewDocument(const std::string& output, double finished);

// {jobs: [...]}, each as in JobDocument; {workers: [...]}; {models: [...]}.
std::string JobsDocument(const std::vector<Job>& jobs);
// "segment" or "inline": how a worker's payloads travel.
std::string TransportText(const Worker& worker);
std::string WorkersDocument(const std::vector<Worker>& workers);
std::string ModelsDocument(const std::vector<Model>& models);

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_CLI_DOCUMENTS_H_
