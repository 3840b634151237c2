#include "client/cli/documents.h"

#include "absl/time/time.h"
#include "client/cli/json_error.h"
#include "client/cli/json_writer.h"
#include "client/cli/progress.h"

namespace tilewright {
namespace {

void WriteStrings(JsonWriter& json, const std::vector<std::string>& values) {
  json.BeginArray();
  for (const std::string& value : values) json.String(value);
  json.EndArray();
}

void WriteEvent(JsonWriter& json, const Event& event) {
  json.BeginObject();
  json.Key("kind").String(event.kind).Key("tile");
  if (event.tile.has_value()) {
    json.Integer(*event.tile);
  } else {
    json.Null();
  }
  json.Key("worker").String(event.worker).Key("text").String(event.text);
  json.Key("seconds").Number(absl::ToDoubleSeconds(event.at)).EndObject();
}

void WriteStage(JsonWriter& json, const PlannedStage& stage) {
  json.BeginObject();
  json.Key("model").String(stage.model).Key("model_digest").String(stage.model_digest);
  json.Key("tile_width").Integer(stage.tile_width).Key("tile_height").Integer(stage.tile_height);
  json.Key("halo").Integer(stage.halo).Key("overlap").Integer(stage.overlap);
  json.Key("window").String(stage.window);
  json.Key("columns").Integer(stage.columns).Key("rows").Integer(stage.rows);
  json.Key("tiles").Integer(stage.tiles).Key("halo_overhead").Number(stage.halo_overhead);
  json.Key("output_width").Integer(stage.output_width);
  json.Key("output_height").Integer(stage.output_height);
  json.Key("channels").Integer(stage.channels).Key("output_sample").String(stage.output_sample);
  json.EndObject();
}

void WriteStageTiles(JsonWriter& json, const Job& job) {
  json.Key("stage_tiles_done").BeginArray();
  for (const uint64_t tiles : job.stage_tiles_done) json.Integer(tiles);
  json.EndArray();
}

void WritePlan(JsonWriter& json, const Plan& plan) {
  json.BeginObject();
  json.Key("model").String(plan.model).Key("model_digest").String(plan.model_digest);
  json.Key("input_width").Integer(plan.input_width).Key("input_height").Integer(plan.input_height);
  json.Key("input_pages").Integer(plan.input_pages);
  json.Key("channels").Integer(plan.channels).Key("output_sample").String(plan.output_sample);
  json.Key("tile_width").Integer(plan.tile_width).Key("tile_height").Integer(plan.tile_height);
  json.Key("halo").Integer(plan.halo).Key("overlap").Integer(plan.overlap);
  json.Key("window").String(plan.window);
  json.Key("columns").Integer(plan.columns).Key("rows").Integer(plan.rows);
  json.Key("skipped_tiles").Integer(plan.skipped_tiles);
  json.Key("halo_overhead").Number(plan.halo_overhead);
  json.Key("memory_bytes").Integer(plan.memory_bytes);
  json.Key("memory_floor_bytes").Integer(plan.memory_floor_bytes);
  json.Key("disk_bytes").Integer(plan.disk_bytes);
  json.Key("disk_free_bytes").Integer(plan.disk_free_bytes);
  json.Key("compression").String(plan.compression).Key("tiff_tile").Integer(plan.tiff_tile);
  json.Key("overview_levels").Integer(plan.overview_levels);
  json.Key("stages").BeginArray();
  for (const PlannedStage& stage : plan.stages) WriteStage(json, stage);
  json.EndArray();
  json.Key("notes");
  WriteStrings(json, plan.notes);
  json.Key("matches").BeginArray();
  for (const WorkerMatch& match : plan.matches) {
    json.BeginObject().Key("worker").String(match.worker).Key("eligible").Bool(match.eligible);
    json.Key("reason").String(match.reason).EndObject();
  }
  json.EndArray().EndObject();
}

void WriteHole(JsonWriter& json, const Hole& hole) {
  json.BeginObject().Key("tile").Integer(hole.tile);
  json.Key("x").Number(static_cast<double>(hole.x)).Key("y").Number(static_cast<double>(hole.y));
  json.Key("width")
      .Number(static_cast<double>(hole.width))
      .Key("height")
      .Number(static_cast<double>(hole.height))
      .EndObject();
}

void WriteJob(JsonWriter& json, const Job& job, const std::vector<std::string>& notes) {
  json.BeginObject();
  json.Key("job").String(job.name).Key("state").String(JobStateName(job.state));
  json.Key("output").String(job.output);
  json.Key("tiles").Integer(job.plan.tiles).Key("tiles_done").Integer(job.tiles_done);
  WriteStageTiles(json, job);
  json.Key("attempts").Integer(job.attempts);
  json.Key("seconds").Number(absl::ToDoubleSeconds(job.elapsed));
  json.Key("compute_seconds").Number(absl::ToDoubleSeconds(job.compute));
  json.Key("output_width").Integer(job.plan.output_width);
  json.Key("output_height").Integer(job.plan.output_height);
  json.Key("workers").BeginArray();
  for (const WorkerShare& share : job.workers) {
    json.BeginObject().Key("name").String(share.name).Key("tiles").Integer(share.tiles).EndObject();
  }
  json.EndArray().Key("events").BeginArray();
  for (const Event& event : job.events) WriteEvent(json, event);
  json.EndArray().Key("exactness").String(job.exactness).Key("numeric_classes");
  WriteStrings(json, job.numeric_classes);
  json.Key("largest_difference");
  job.largest_difference.has_value() ? json.Number(*job.largest_difference) : json.Null();
  json.Key("promise").String(job.promise).Key("pixel_hash").String(job.pixel_hash);
  json.Key("created").String(job.created).Key("error");
  WriteError(json, job.error);
  json.Key("tenant").String(job.tenant).Key("priority").Number(job.priority);
  json.Key("paused").Bool(job.paused);
  json.Key("waits_for_decision").Bool(job.waits_for_decision);
  json.Key("failed_tiles").BeginArray();
  for (const uint64_t tile : job.failed_tiles) json.Integer(tile);
  json.EndArray().Key("failed_tile_count").Integer(job.failed_tile_count);
  json.Key("holes").BeginArray();
  for (const Hole& hole : job.holes) WriteHole(json, hole);
  json.EndArray().Key("hole_count").Integer(job.hole_count);
  json.Key("copies").Integer(job.copies);
  json.Key("ladder").BeginObject();
  for (const LadderCount& count : job.ladder) json.Key(count.step).Integer(count.attempts);
  json.EndObject().Key("constant_results").Integer(job.constant_results);
  json.Key("held_bytes").Integer(job.held_bytes).Key("spilled_bytes").Integer(job.spilled_bytes);
  json.Key("waits_for_room").String(job.waits_for_room);
  json.Key("partial_output").String(job.partial_output);
  json.Key("missing_tile_count").Integer(job.missing_tile_count);
  json.Key("continued_tiles").Integer(job.continued_tiles);
  json.Key("checkpoint_tiles").Integer(job.checkpoint_tiles);
  json.Key("copied_blocks").Integer(job.copied_blocks);
  json.Key("plan");
  WritePlan(json, job.plan);
  json.Key("notes");
  WriteStrings(json, notes);
  json.EndObject();
}

void WriteWorker(JsonWriter& json, const Worker& worker) {
  json.BeginObject().Key("name").String(worker.name);
  json.Key("device_kind").String(worker.device_kind).Key("device_name").String(worker.device_name);
  json.Key("build").String(worker.build).Key("environment_key").String(worker.environment_key);
  json.Key("engines");
  WriteStrings(json, worker.engines);
  json.Key("dtypes");
  WriteStrings(json, worker.dtypes);
  json.Key("threads").Integer(worker.threads);
  json.Key("memory_total_bytes").Integer(worker.memory_total_bytes);
  json.Key("memory_free_bytes").Integer(worker.memory_free_bytes);
  json.Key("probe_flops").Number(worker.probe_flops);
  json.Key("leased_tiles").Integer(worker.leased_tiles);
  json.Key("accepted_tiles").Integer(worker.accepted_tiles);
  json.Key("silent_seconds").Number(absl::ToDoubleSeconds(worker.silent));
  json.Key("draining").Bool(worker.draining).Key("quarantine_seconds");
  if (worker.quarantine.has_value()) {
    json.Number(absl::ToDoubleSeconds(*worker.quarantine));
  } else {
    json.Null();
  }
  json.Key("blocklisted_for");
  WriteStrings(json, worker.blocklisted_for);
  json.Key("blocklisted_count").Integer(worker.blocklisted_count);
  json.Key("away").Bool(worker.away);
  json.Key("transport").String(TransportText(worker));
  json.Key("slot_misses").Integer(worker.slot_misses);
  json.Key("compute_capability").String(worker.compute_capability);
  json.Key("engine_offers").BeginArray();
  for (const EngineOffer& offer : worker.engine_offers) {
    json.BeginObject().Key("name").String(offer.name).Key("dtypes");
    WriteStrings(json, offer.dtypes);
    json.Key("reference_seconds_per_mpx").Number(offer.reference_seconds_per_mpx).EndObject();
  }
  json.EndArray().Key("memory_models").BeginArray();
  for (const ModelMemory& memory : worker.memory_models) {
    json.BeginObject().Key("model_digest").String(memory.model_digest);
    json.Key("dtype").String(memory.dtype).Key("base_bytes").Number(memory.base_bytes);
    json.Key("bytes_per_pixel").Number(memory.bytes_per_pixel).EndObject();
  }
  json.EndArray().EndObject();
}

void WriteModel(JsonWriter& json, const Model& model) {
  json.BeginObject().Key("name").String(model.name).Key("digest").String(model.digest);
  json.Key("description").String(model.description).Key("engine").String(model.engine);
  json.Key("scale_p").Integer(model.scale_p).Key("scale_q").Integer(model.scale_q);
  json.Key("halo").Integer(model.halo).Key("alignment").Integer(model.alignment);
  json.Key("default_tile").Integer(model.default_tile);
  json.Key("default_overlap").Integer(model.default_overlap);
  json.Key("channels").Integer(model.channels).Key("beside");
  WriteStrings(json, model.beside);
  json.Key("exactness").String(model.exactness);
  json.Key("flops_per_pixel").Number(model.flops_per_pixel).EndObject();
}

}  // namespace

std::string JobDocument(const Job& job, const std::vector<std::string>& notes) {
  JsonWriter json;
  WriteJob(json, job, notes);
  return json.text();
}

std::string ProgressDocument(const Job& job) {
  const Progress progress = ProgressOf(job);
  JsonWriter json;
  json.BeginObject().Key("type").String("progress").Key("job").String(job.name);
  json.Key("state").String(JobStateName(job.state));
  json.Key("tiles_done").Integer(job.tiles_done).Key("tiles").Integer(job.plan.tiles);
  WriteStageTiles(json, job);
  json.Key("percent").Integer(static_cast<uint64_t>(progress.percent));
  json.Key("megapixels_per_second").Number(progress.megapixels_per_second).Key("eta_seconds");
  if (progress.eta.has_value()) {
    json.Number(absl::ToDoubleSeconds(*progress.eta));
  } else {
    json.Null();
  }
  json.Key("workers").Integer(job.workers.size()).Key("paused").Bool(job.paused);
  json.Key("waits_for_decision").Bool(job.waits_for_decision);
  json.Key("failed_tile_count").Integer(job.failed_tile_count);
  json.Key("hole_count").Integer(job.hole_count);
  json.Key("waits_for_room").String(job.waits_for_room).EndObject();
  return json.text();
}

std::string PreviewDocument(const std::string& output, double finished) {
  JsonWriter json;
  json.BeginObject().Key("output").String(output).Key("finished").Number(finished).EndObject();
  return json.text();
}

std::string JobsDocument(const std::vector<Job>& jobs) {
  JsonWriter json;
  json.BeginObject().Key("jobs").BeginArray();
  for (const Job& job : jobs) WriteJob(json, job, {});
  json.EndArray().EndObject();
  return json.text();
}

std::string TransportText(const Worker& worker) {
  return worker.shares_memory ? "segment" : "inline";
}

std::string WorkersDocument(const std::vector<Worker>& workers) {
  JsonWriter json;
  json.BeginObject().Key("workers").BeginArray();
  for (const Worker& worker : workers) WriteWorker(json, worker);
  json.EndArray().EndObject();
  return json.text();
}

std::string ModelsDocument(const std::vector<Model>& models) {
  JsonWriter json;
  json.BeginObject().Key("models").BeginArray();
  for (const Model& model : models) WriteModel(json, model);
  json.EndArray().EndObject();
  return json.text();
}

}  // namespace tilewright
