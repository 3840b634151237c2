// What a client sends to and learns from a coordinator, as plain values. No generated code, no
// gRPC. Thread-compatible.

#ifndef TILEWRIGHT_CLIENT_TYPES_H_
#define TILEWRIGHT_CLIENT_TYPES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace tilewright {

// What becomes of a job one of whose tiles fails on worker after worker.
enum class OnFailedTile {
  kFail,  // it fails with a sentence that names tile, workers and cause
  kWait,  // the other tiles go on; then it waits for RetryFailedTiles, AcceptHoles or Cancel
  kHole,  // the tile is left out of the picture and named in Job.holes
};

// A part of an image, pixels.
struct Region {
  int64_t x = 0;
  int64_t y = 0;
  int64_t width = 0;
  int64_t height = 0;
};

// Output pixels per input pixel, p / q.
struct Ratio {
  uint32_t p = 1;
  uint32_t q = 1;
};

// One model over one image. Absent values are the model's defaults.
struct RenderRequest {
  // A further stage: it takes the whole picture that the one before it makes, in the samples that
  // one names, and so does its geometry.
  struct Stage {
    std::string model;
    std::optional<uint32_t> tile;
    std::optional<uint32_t> overlap;
    std::optional<uint32_t> halo;
    std::string window;
    std::string dtype;
    std::string sample;  // as RenderRequest::sample
  };

  std::string input;   // path of an image on this machine
  uint32_t page = 0;   // of the input, a TIFF of several images; 0 is the first
  std::string output;  // path on this machine; the extension chooses the format
  // Path of a grey image of the input's size: 0 keeps a pixel, the greatest value takes what the
  // model (of scale 1) makes of it. Empty: everything is rendered.
  std::string mask;
  // For a model that takes a previous frame: path of an image of the input's size and orientation,
  // usually the output of the frame before. Empty: such a model gets zeros.
  std::string previous;
  std::optional<Region> region;     // of the input: the part that is rendered
  std::string model;                // NAME, or models/NAME/versions/VERSION
  std::optional<uint32_t> tile;     // side of a tile, input pixels
  std::optional<uint32_t> overlap;  // blend zone between neighbours, input pixels
  std::optional<uint32_t> halo;     // context computed and thrown away, input pixels
  std::string window;               // "cosine", "linear", "gaussian"
  // Of the output of the model: "u8", "u16", "f16", "f32". Empty: f32 for an array made of a
  // picture, u8 for labels and for a picture made of an array, else the input's if the file holds
  // them, else u8; between stages f16 for inputs of 8 bits, else f32.
  std::string sample;
  std::vector<Stage> then;         // further stages, at most 7
  std::string dtype;               // in the engine: "fp32", "fp16", "bf16"
  std::string compression;         // of a TIFF: "deflate", "zstd", "lzw", "jpeg", "none"
  uint32_t compression_level = 0;  // deflate 1 to 12, zstd 1 to 19; 0: 1
  uint32_t jpeg_quality = 0;       // of JPEG files and compression, 1 to 100; 0: 95
  uint32_t tiff_tile = 0;          // side of a TIFF's tiles: 128, 256, 512; 0: 512
  bool overviews = false;          // reduced images in a TIFF, down to 512 pixels
  // Write the values of a model whose output is labels decided of them, an array of f32 unless
  // `sample` says else.
  bool undecided = false;
  // Of a job that fails or is cancelled, leave what was computed: see Job.partial_output.
  bool keep_partial = false;
  std::optional<Ratio> scale;  // of the output, 1/32 to 32; absent: the model's
  absl::Duration tile_timeout = absl::ZeroDuration();  // most for one tile; zero: the default
  // Most for the job, pauses included: it then fails with DEADLINE_EXCEEDED. Zero: no limit.
  absl::Duration max_duration = absl::ZeroDuration();
  int priority = 0;  // -5 to 5; each step doubles the job's weight among those of its tenant
  OnFailedTile on_failed_tile = OnFailedTile::kFail;
  bool strict = false;  // prove that all bits come from one numeric class
  // A worker whose device has not the memory for a tile may compute it on its CPU; with other bits
  // only if the job is not strict.
  bool cpu_fallback = false;
  bool overwrite = false;  // replace an existing output
  // Go on from what an unfinished job of the same request left beside the output, where the
  // coordinator finds it of use: an event of the job says so.
  bool continue_partial = false;
  // 1 to 64 characters of [A-Za-z0-9_-]; generated if empty. A submit repeated with the same id and
  // the same request returns the first one's job.
  std::string request_id;
};

// Life of a job:
//
//   kQueued -> kRunning -> kMerging -> kSucceeded
//      |          |           |
//      +----------+-----------+-> kFailed | kCancelled
enum class JobState {
  kUnknown,    // said by a newer coordinator
  kPlanned,    // planned by a dry run, and nothing more
  kQueued,     // planned, nothing granted yet
  kRunning,    // tiles are being computed
  kMerging,    // all tiles accepted; the output is being finished
  kSucceeded,  // the output lies at its place
  kFailed,     // it ended without output; see Job.error
  kCancelled,  // somebody cancelled it
};

// "queued", "running", …
absl::string_view JobStateName(JobState state);

// Whether the job changes no more.
bool HasEnded(JobState state);

// Whether a worker may take tiles of a job, and if not, why.
struct WorkerMatch {
  std::string worker;
  bool eligible = false;
  std::string reason;
};

// One of several stages, resolved to numbers.
struct PlannedStage {
  std::string model;  // models/NAME/versions/VERSION
  std::string model_digest;
  uint32_t tile_width = 0;  // pixels of its input, halo included
  uint32_t tile_height = 0;
  uint32_t halo = 0;     // pixels of its input
  uint32_t overlap = 0;  // the same
  std::string window;
  uint32_t columns = 0;
  uint32_t rows = 0;
  uint64_t tiles = 0;
  double halo_overhead = 0;
  uint32_t output_width = 0;  // pixels
  uint32_t output_height = 0;
  uint32_t channels = 0;
  std::string output_sample;  // "u8", "u16", "f16", "f32"
};

// What the coordinator will do, resolved to numbers.
struct Plan {
  std::string model;  // models/NAME/versions/VERSION
  std::string model_digest;
  uint32_t input_width = 0;  // pixels
  uint32_t input_height = 0;
  uint32_t input_pages = 1;  // of the input file; reduced images of a pyramid are none
  uint32_t channels = 0;
  std::string output_sample;  // "u8", "u16", "f16", "f32"
  uint32_t output_width = 0;  // pixels
  uint32_t output_height = 0;
  uint32_t tile_width = 0;  // input pixels, halo included
  uint32_t tile_height = 0;
  uint32_t halo = 0;     // input pixels
  uint32_t overlap = 0;  // input pixels
  std::string window;
  uint32_t columns = 0;
  uint32_t rows = 0;
  uint64_t tiles = 0;
  uint64_t skipped_tiles = 0;  // of them: not computed, for want of a masked pixel or of the region
  double halo_overhead = 0;    // pixels through the model / pixels of the padded image
  uint64_t memory_bytes = 0;   // about, at the coordinator
  uint64_t memory_floor_bytes = 0;  // the least --memory of a coordinator that takes the job
  uint64_t disk_bytes = 0;          // of the uncompressed output, overviews included
  uint64_t disk_free_bytes = 0;     // where the output goes, when it was planned; 0: not known
  std::string compression;          // of a TIFF, for people: "deflate 1"; empty: no TIFF
  uint32_t tiff_tile = 0;           // side of its tiles, pixels
  uint32_t overview_levels = 0;
  std::vector<std::string> notes;
  std::vector<WorkerMatch> matches;
  // Of a job of several stages: each. Then `tiles` is the sum, and all else that tells of one stage
  // only is that of the first. Empty otherwise.
  std::vector<PlannedStage> stages;
};

// One worker's part in a job.
struct WorkerShare {
  std::string name;
  uint64_t tiles = 0;
};

// Something that happened to a job.
struct Event {
  std::string kind;              // lower_snake: "tile_lapsed", "worker_gone", …
  std::optional<uint64_t> tile;  // its number in the plan
  std::string worker;
  std::string text;
  absl::Duration at;  // since submit

  friend bool operator==(const Event&, const Event&) = default;
};

// A tile that is left out of the picture: its neighbours stand in where they reach, what it alone
// covers is zero (transparent, if there is an alpha channel).
struct Hole {
  uint64_t tile = 0;  // its number in the plan
  int64_t x = 0;      // output pixels that it would have contributed to
  int64_t y = 0;
  int64_t width = 0;
  int64_t height = 0;
};

// How often workers took a step because memory ran out.
struct LadderCount {
  std::string step;       // "dropped_caches", "smaller_batch", "sub_tiles", "cpu", "handed_back"
  uint64_t attempts = 0;  // at tiles
};

struct Job {
  std::string name;  // jobs/ID; empty for a dry run
  JobState state = JobState::kUnknown;
  absl::Status error;  // why it failed; OK otherwise
  std::string input;   // a path, or upload:ID
  std::string output;  // a path, or download:.EXTENSION
  Plan plan;
  std::vector<uint64_t> stage_tiles_done;  // by stage, of a job of several; else empty
  uint64_t tiles_done = 0;
  uint64_t attempts = 0;                          // leases of tiles granted so far
  absl::Duration elapsed = absl::ZeroDuration();  // since submit, up to the end
  absl::Duration compute = absl::ZeroDuration();  // first grant to last accepted tile
  std::optional<absl::Duration> eta;              // absent while unknown
  std::vector<WorkerShare> workers;
  std::vector<Event> events;  // oldest first, the latest 1,000; empty in lists
  std::string exactness;      // "exact", "bounded(0.5)", "approximate"
  std::vector<std::string> numeric_classes;
  // Between values of the model's raw output that two of numeric_classes gave for the same noise,
  // where canaries ran and as far as they show; absent while no two of them are known.
  std::optional<double> largest_difference;
  std::string promise;     // "strict", "tolerant"; empty before the first grant
  std::string pixel_hash;  // hexadecimal, once it has succeeded
  std::string created;     // RFC 3339
  std::string tenant;      // whose quota it counts towards
  int priority = 0;        // as it stands
  bool paused = false;
  OnFailedTile on_failed_tile = OnFailedTile::kFail;  // as it was asked for
  // It has failed tiles and wants RetryFailedTiles, AcceptHoles or Cancel; other tiles may go on.
  bool waits_for_decision = false;
  std::vector<uint64_t> failed_tiles;  // that wait for it, ascending; at most the first 1,000
  uint64_t failed_tile_count = 0;
  std::vector<Hole> holes;  // ascending; at most the first 1,000
  uint64_t hole_count = 0;
  uint64_t copies = 0;  // attempts that doubled another one near the end
  std::vector<LadderCount> ladder;
  // Bytes of accepted tiles and unfinished blocks at the coordinator, now: in memory, and in its
  // scratch file.
  uint64_t held_bytes = 0;
  uint64_t spilled_bytes = 0;
  // Why it stands still although nobody paused it: a disk of the coordinator is full. It goes on
  // when there is room; Resume lets it look at once. Empty: it does not wait for that.
  std::string waits_for_room;
  // What it left although it did not succeed, because the request said keep_partial: the path of a
  // TIFF on the coordinator's machine in which what is missing is zero. Beside it,
  // <path>.missing.json names the missing tiles. Empty: nothing.
  std::string partial_output;
  uint64_t missing_tile_count = 0;  // of that
  uint64_t continued_tiles = 0;     // taken over from an unfinished job, among tiles_done
  uint64_t checkpoint_tiles = 0;    // that a job which continues it would not compute again
  uint64_t copied_blocks = 0;       // of a masked job's output: its input's, not compressed again
  uint64_t constant_results = 0;    // tiles that are one constant though their input is not
};

struct Model {
  std::string name;  // models/NAME/versions/VERSION
  std::string digest;
  std::string description;
  std::string engine;
  uint32_t scale_p = 1;  // output pixels = input pixels * scale_p / scale_q
  uint32_t scale_q = 1;
  uint32_t halo = 0;       // input pixels
  uint32_t alignment = 1;  // input pixels
  uint32_t default_tile = 0;
  uint32_t default_overlap = 0;
  uint32_t channels = 0;            // of the image that it takes; 0: any from 1 to 4
  std::vector<std::string> beside;  // what else it takes: "mask", "previous"
  std::string exactness;
  double flops_per_pixel = 0;
};

// What one engine of a worker can do.
struct EngineOffer {
  std::string name;  // "builtin", "torch", "openvino"
  std::vector<std::string> dtypes;
  // Per million input pixels of a reference network of sixteen 3×3 convolutions of 64 channels in
  // fp32; 0: not measured.
  double reference_seconds_per_mpx = 0;
};

// What a run of a model was measured to need beside its weights: base_bytes + bytes_per_pixel ×
// input pixels of the batch.
struct ModelMemory {
  std::string model_digest;
  std::string dtype;
  double base_bytes = 0;
  double bytes_per_pixel = 0;
};

// What is finished of the output of a running job.
struct JobPreview {
  // A PNG file: RGBA of 8 bits, as stored, its longer side up to 1,024 pixels (2,048 for outputs
  // over 524,288). What is missing is transparent; the output's own alpha is not shown.
  std::string png;
  double finished = 0;  // pixels that are finished / pixels of the output
};

struct Worker {
  std::string name;
  std::string device_kind;  // "cpu", "cuda", "openvino"
  std::string device_name;
  std::string compute_capability;  // of a CUDA device: "8.6"; else empty
  std::string build;
  std::string environment_key;
  std::vector<std::string> engines;
  std::vector<std::string> dtypes;
  std::vector<EngineOffer> engine_offers;
  std::vector<ModelMemory> memory_models;  // the latest measured first
  uint32_t threads = 0;
  uint64_t memory_total_bytes = 0;
  uint64_t memory_free_bytes = 0;  // as it said last
  double probe_flops = 0;          // FLOP/s of a reference computation
  uint32_t leased_tiles = 0;       // now
  uint64_t accepted_tiles = 0;     // since it joined
  absl::Duration silent = absl::ZeroDuration();
  bool draining = false;  // gets nothing new; drained once leased_tiles is 0
  // Until it may prove itself after repeated trouble; zero: it waits for its probe. Absent: it is
  // not in quarantine.
  std::optional<absl::Duration> quarantine;
  std::vector<std::string> blocklisted_for;  // jobs it gets no tiles of; at most the first 100
  uint32_t blocklisted_count = 0;
  bool away = false;           // not connected: this is what the coordinator remembers of it
  bool shares_memory = false;  // with the coordinator: its payloads need not pass through a socket
  uint64_t slot_misses = 0;    // pieces of payload that passed through it all the same
};

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_TYPES_H_
