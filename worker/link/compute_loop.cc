#include "worker/link/compute_loop.h"

#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "proto/base/status_macros.h"
#include "proto/wire/checksum.h"
#include "proto/wire/tile_types.h"

namespace tilewright {
namespace {

// Results that come quickly are brought together: of so much time, so many bytes at most. What took
// longer to compute leaves at once.
constexpr std::chrono::microseconds kGather{1000};
constexpr uint64_t kGatherBytes = 4 << 20;

// What decides the raw bits of a stage on this worker.
std::string StageKeyOf(const v1::StageSpec& stage) {
  return absl::StrCat(stage.model_digest(), "/", stage.stage(), "/", stage.tile_width(), "x",
                      stage.tile_height(), "/", stage.input_channels(), "/", stage.dtype(), "/",
                      stage.batch());
}

v1::FailureCause CauseOfFetch(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsCancelled(status) ||
                 absl::IsDeadlineExceeded(status) || absl::IsResourceExhausted(status)
             ? v1::FAILURE_CAUSE_REFUSED
             : v1::FAILURE_CAUSE_MODEL_ERROR;
}

bool EndsTheDevice(v1::FailureCause cause) {
  return cause == v1::FAILURE_CAUSE_DEVICE_LOST || cause == v1::FAILURE_CAUSE_LAUNCH_TIMEOUT;
}

}  // namespace

ComputeLoop::ComputeLoop(const ComputeOptions& options, Executor* executor, ModelCache* models,
                         TileDesk* desk)
    : options_(options),
      executor_(executor),
      models_(models),
      desk_(desk),
      slots_([desk] { return desk->SharedMemory(); }, [this] { Flush(); }) {}

void ComputeLoop::Run() {
  while (true) {
    // A lease does not start while tiles of another one are on the device: with its start its clock
    // runs, and what the process dies of is laid at its door.
    std::optional<TileDesk::Work> work =
        desk_->Next(/*wait=*/false, /*may_start=*/!in_flight_.has_value());
    if (!work && in_flight_.has_value()) {
      if (!LandInFlight()) return;
      continue;
    }
    if (!work) {
      Flush();
      work = desk_->Next(/*wait=*/true, /*may_start=*/true);
    }
    if (!work) return;
    if (const auto* canary = std::get_if<v1::Canary>(&*work)) {
      if (!LandInFlight()) return;
      Flush();
      RunCanary(*canary);
      continue;
    }
    LeaseWork& lease = std::get<LeaseWork>(*work);
    if (lease.kind == LeaseWork::Kind::kPrepare) {
      const bool another = in_flight_.has_value() &&
                           StageKeyOf(in_flight_->terms->stage) != StageKeyOf(lease.terms->stage);
      if (another && !LandInFlight()) return;
      Flush();
      Prepare(lease);
    } else if (!Compute(std::move(lease))) {
      return;
    }
  }
}

// Errors of the model's fetching carry no cause; those of the executor do.
absl::Status ComputeLoop::MakeReady(const v1::StageSpec& stage, LeaseRef lease, bool report) {
  const auto progress = [&](const std::string& text) {
    if (report) desk_->Preparing(lease, absl::StrCat(stage.model(), ": ", text));
  };
  const std::string key = StageKeyOf(stage);
  if (!ready_stages_.contains(key)) progress("loading");
  absl::StatusOr<LocalModel> model = models_->Get(stage.model_digest(), progress);
  if (!model.ok()) {
    return EngineError(CauseOfFetch(model.status()), std::string(model.status().message()));
  }
  TW_RETURN_IF_ERROR(executor_->Prepare(stage, *model, progress));
  ready_stages_.insert(key);
  output_names_[stage.model_digest()] =
      model->manifest.outputs_size() > 0 ? model->manifest.outputs(0).name() : "image";
  desk_->DeviceMoved();
  return absl::OkStatus();
}

void ComputeLoop::Prepare(const LeaseWork& work) {
  const LeaseRef lease = work.terms->lease;
  const absl::Status status = MakeReady(work.terms->stage, lease, /*report=*/true);
  if (status.ok()) {
    desk_->Prepared(lease);
    return;
  }
  desk_->PrepareFailed(lease, CauseOf(status), status);
  if (EndsTheDevice(CauseOf(status))) desk_->DeviceLost(status);
}

bool ComputeLoop::Compute(LeaseWork work) {
  if (options_.faults.slow() > absl::ZeroDuration()) {
    const absl::Duration pause = options_.faults.slow() * static_cast<int64_t>(work.tasks.size());
    std::this_thread::sleep_for(absl::ToChronoMilliseconds(pause));
  }
  Batch next = Begin(std::move(work));
  if (!LandInFlight()) return false;
  if (!next.run.overlaps()) return Land(std::move(next));
  in_flight_ = std::move(next);
  return true;
}

ComputeLoop::Batch ComputeLoop::Begin(LeaseWork work) {
  // The headers need what the executor consumes.
  std::vector<TileTask> places(work.tasks.size());
  for (size_t i = 0; i < places.size(); ++i) {
    places[i].index = work.tasks[i].index;
    places[i].contribution = work.tasks[i].contribution;
    work.tasks[i].memory = &slots_;
  }
  const v1::StageSpec& stage = work.terms->stage;
  InFlight<Executor::Outcomes> run = executor_->Begin(stage, std::move(work.tasks));
  return {std::move(work.terms), std::move(places), std::move(run)};
}

bool ComputeLoop::LandInFlight() {
  if (!in_flight_.has_value()) return true;
  Batch batch = *std::move(in_flight_);
  in_flight_.reset();
  return Land(std::move(batch));
}

bool ComputeLoop::Land(Batch batch) {
  const LeaseTerms& terms = *batch.terms;
  const std::vector<TileTask>& places = batch.places;
  if (finished_.empty()) finished_since_ = std::chrono::steady_clock::now();
  slots_.BeginBatch();
  std::vector<TileOutcome> outcomes = std::move(batch.run).Land();
  desk_->DeviceMoved();

  absl::Status lost;
  for (size_t i = 0; i < places.size(); ++i) {
    if (i < outcomes.size() && outcomes[i].samples.ok()) {
      OutgoingTile result = Pack(terms, places[i], std::move(outcomes[i]));
      finished_bytes_ += result.header.payload_bytes();
      Finished(terms.lease).results.push_back(std::move(result));
      // A big result is on its way while the next one's checksum is taken.
      if (finished_bytes_ >= kGatherBytes) Flush();
      continue;
    }
    const absl::Status why = i < outcomes.size()
                                 ? outcomes[i].samples.status()
                                 : absl::InternalError("the executor returned no outcome");
    v1::TileFailed failed;
    *failed.mutable_lease() = ToProto(terms.lease);
    failed.set_index(places[i].index);
    failed.set_cause(CauseOf(why));
    failed.set_text(std::string(why.message()));
    failed.set_peak_bytes(PeakBytesOf(why));
    const uint32_t executed = i < outcomes.size() ? outcomes[i].cost.batch() : 0;
    failed.set_batch(executed > 0 ? executed : static_cast<uint32_t>(places.size()));
    if (i < outcomes.size()) *failed.mutable_cost() = std::move(outcomes[i].cost);
    if (EndsTheDevice(failed.cause())) lost = why;
    Finished(terms.lease).failures.push_back(std::move(failed));
  }
  if (!lost.ok() ||
      (!finished_.empty() && std::chrono::steady_clock::now() - finished_since_ >= kGather)) {
    Flush();
  }
  if (lost.ok()) return true;
  desk_->DeviceLost(lost);
  return false;
}

Delivery& ComputeLoop::Finished(LeaseRef lease) {
  if (finished_.empty() || finished_.back().lease != lease) finished_.push_back({lease, {}, {}});
  return finished_.back();
}

const v1::TileHeader& ComputeLoop::HeaderFor(const LeaseTerms& terms) {
  if (header_lease_ == terms.lease) return header_;
  header_lease_ = terms.lease;
  header_.Clear();
  const v1::StageSpec& stage = terms.stage;
  v1::TileIdentity* tile = header_.mutable_tile();
  tile->set_job(stage.job());
  tile->set_generation(stage.generation());
  tile->set_frame(terms.frame);
  tile->set_stage(stage.stage());
  tile->set_pass(terms.pass);
  *header_.mutable_lease() = ToProto(terms.lease);
  v1::Tensor* tensor = header_.add_tensors();
  tensor->set_name(output_names_[stage.model_digest()]);
  tensor->set_dtype(stage.output_sample());
  tensor->set_channels(stage.output_channels());
  tensor->mutable_inline_();
  header_.set_worker(options_.worker);
  header_.set_incarnation(options_.incarnation);
  header_.set_plan_digest(stage.plan_digest());
  header_.set_model_digest(stage.model_digest());
  if (const auto it = classes_.find(StageKeyOf(stage)); it != classes_.end()) {
    header_.set_numeric_class(it->second);
  }
  return header_;
}

OutgoingTile ComputeLoop::Pack(const LeaseTerms& terms, const TileTask& task, TileOutcome outcome) {
  OutgoingTile result;
  TileSamples samples = *std::move(outcome.samples);
  result.header = HeaderFor(terms);
  result.header.mutable_tile()->set_index(task.index);
  v1::Tensor* tensor = result.header.mutable_tensors(0);
  SetWire(task.contribution, tensor->mutable_rect());
  tensor->mutable_inline_()->set_bytes(samples.size());
  result.header.set_payload_bytes(samples.size());
  uint64_t checksum = Checksum(std::as_const(samples).bytes());
  options_.faults.Touch(&checksum);
  result.header.set_checksum(checksum);
  if (!outcome.of_class) {
    result.header.set_numeric_class(
        absl::StrCat("unproven: ", absl::StrJoin(outcome.cost.steps(), ", ")));
  }
  *result.header.mutable_cost() = std::move(outcome.cost);
  result.slotted = samples.slots();
  if (!result.slotted) {
    result.payload = std::make_shared<const std::vector<std::byte>>(std::move(samples).TakeOwn());
  }
  return result;
}

void ComputeLoop::RunCanary(const v1::Canary& canary) {
  v1::CanaryResult result;
  result.set_canary(canary.canary());
  absl::Status status = MakeReady(canary.stage(), LeaseRef(), /*report=*/false);
  if (status.ok()) {
    absl::StatusOr<Executor::CanaryOutcome> outcome =
        executor_->RunCanary(canary.stage(), canary.seed());
    desk_->DeviceMoved();
    if (outcome.ok()) {
      result.set_digest(outcome->digest);
      result.set_seconds(outcome->seconds);
      result.set_excerpt(outcome->excerpt.data(), outcome->excerpt.size() * sizeof(float));
      classes_[StageKeyOf(canary.stage())] = outcome->digest;
      header_lease_.reset();  // results of a running lease carry the class from now on
    }
    status = outcome.status();
  }
  if (!status.ok()) {
    result.set_cause(CauseOf(status));
    result.set_text(std::string(status.message()));
  }
  desk_->CanaryDone(std::move(result));
  if (!status.ok() && EndsTheDevice(CauseOf(status))) desk_->DeviceLost(status);
}

void ComputeLoop::Flush() {
  if (finished_.empty()) return;
  desk_->Deliver(std::exchange(finished_, {}));
  finished_bytes_ = 0;
}

}  // namespace tilewright
