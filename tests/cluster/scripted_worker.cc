#include "tests/cluster/scripted_worker.h"

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/types/span.h"
#include "proto/base/status_macros.h"
#include "proto/wire/checksum.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

std::string FreshIncarnation() {
  static std::atomic<int> count{0};
  return absl::StrCat("scripted-", getpid(), "-", count++);
}

}  // namespace

ScriptedWorker::ScriptedWorker(std::shared_ptr<grpc::Channel> channel,
                               const ScriptedWorkerOptions& options)
    : options_(options),
      incarnation_(FreshIncarnation()),
      stub_(v1::WorkerService::NewStub(std::move(channel))) {}

absl::StatusOr<std::unique_ptr<ScriptedWorker>> ScriptedWorker::Join(
    std::shared_ptr<grpc::Channel> channel, const ScriptedWorkerOptions& options) {
  auto worker = std::unique_ptr<ScriptedWorker>(new ScriptedWorker(std::move(channel), options));
  worker->control_ = worker->stub_->Control(&worker->control_context_);
  v1::ControlRequest request;
  v1::Hello& hello = *request.add_events()->mutable_hello();
  hello.mutable_protocol()->set_major(options.protocol_major);
  hello.set_build("scripted worker of the tests");
  hello.set_host_id("scripted");
  hello.set_worker(options.name);
  hello.set_incarnation(worker->incarnation_);
  v1::Capabilities& can = *hello.mutable_capabilities();
  can.set_device_kind("cpu");
  can.set_device_name("scripted");
  can.set_memory_total_bytes(uint64_t{1} << 32);
  can.set_memory_free_bytes(uint64_t{1} << 32);
  can.add_dtypes("fp32");
  for (const std::string& engine : options.engines) can.add_engines(engine);
  can.set_probe_flops(1e9);
  can.set_threads(1);
  can.set_environment_key(options.environment_key);
  hello.mutable_credits()->set_tiles(options.credit_tiles);
  hello.mutable_credits()->set_bytes(uint64_t{1} << 28);
  v1::ControlResponse response;
  if (!worker->control_->Write(request) || !worker->control_->Read(&response) ||
      response.events_size() == 0 || !response.events(0).has_hello()) {
    const absl::Status ended = FromGrpc(worker->control_->Finish());
    worker->control_.reset();
    return ended.ok() ? absl::InternalError("the control stream ended without an answer to hello")
                      : ended;
  }
  worker->reply_ = response.events(0).hello();
  {
    absl::MutexLock lock(&worker->mutex_);
    for (int i = 1; i < response.events_size(); ++i) {
      if (response.events(i).has_grant()) worker->grants_.push_back(response.events(i).grant());
    }
  }
  v1::ReceiveTilesRequest receive;
  receive.set_worker(options.name);
  receive.set_incarnation(worker->incarnation_);
  worker->tiles_ = worker->stub_->ReceiveTiles(&worker->tiles_context_, receive);
  worker->control_reader_ = std::thread([raw = worker.get()] { raw->ReadControl(); });
  worker->tile_reader_ = std::thread([raw = worker.get()] { raw->ReadTiles(); });
  worker->beater_ = std::thread([raw = worker.get()] { raw->Beat(); });
  return worker;
}

ScriptedWorker::~ScriptedWorker() { Leave(); }

void ScriptedWorker::Leave() {
  if (control_ == nullptr) return;
  left_.Notify();
  control_context_.TryCancel();
  tiles_context_.TryCancel();
  control_reader_.join();
  tile_reader_.join();
  beater_.join();
  control_->Finish();
  tiles_->Finish();
  control_.reset();
}

void ScriptedWorker::ReadControl() {
  v1::ControlResponse response;
  while (control_->Read(&response)) {
    absl::MutexLock lock(&mutex_);
    for (const v1::CoordinatorEvent& event : response.events()) {
      if (event.has_grant()) grants_.push_back(event.grant());
    }
  }
}

void ScriptedWorker::ReadTiles() {
  v1::TileFrames frames;
  ScriptedTile tile;
  while (tiles_->Read(&frames)) {
    for (const v1::TileFrame& frame : frames.frames()) {
      if (frame.has_header()) tile = ScriptedTile{frame.header(), ""};
      tile.payload += frame.payload();
      if (tile.payload.size() < tile.header.payload_bytes()) continue;
      absl::MutexLock lock(&mutex_);
      arrived_.push_back(std::move(tile));
    }
  }
}

void ScriptedWorker::Beat() {
  while (!left_.WaitForNotificationWithTimeout(absl::Seconds(1))) {
    {
      absl::MutexLock lock(&mutex_);
      if (!heartbeats_) continue;
    }
    v1::WorkerEvent event;
    event.mutable_heartbeat()->set_memory_free_bytes(uint64_t{1} << 32);
    if (!Say(event).ok()) return;
  }
}

void ScriptedWorker::SetHeartbeats(bool on) {
  absl::MutexLock lock(&mutex_);
  heartbeats_ = on;
}

absl::Status ScriptedWorker::Say(const v1::WorkerEvent& event) {
  v1::ControlRequest request;
  *request.add_events() = event;
  absl::MutexLock lock(&write_mutex_);
  return control_->Write(request) ? absl::OkStatus()
                                  : absl::UnavailableError("the control stream has ended");
}

absl::Status ScriptedWorker::SayStarted(const v1::LeaseId& lease) {
  v1::WorkerEvent event;
  *event.mutable_started()->mutable_lease() = lease;
  return Say(event);
}

absl::StatusOr<v1::Lease> ScriptedWorker::AwaitGrant(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto granted = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !grants_.empty(); };
  if (!mutex_.AwaitWithTimeout(absl::Condition(&granted), timeout)) {
    return absl::DeadlineExceededError(
        absl::StrCat(options_.name, " was granted nothing within ", absl::FormatDuration(timeout)));
  }
  v1::Lease lease = std::move(grants_.front());
  grants_.pop_front();
  return lease;
}

absl::StatusOr<ScriptedTile> ScriptedWorker::AwaitTile(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto arrived = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !arrived_.empty(); };
  if (!mutex_.AwaitWithTimeout(absl::Condition(&arrived), timeout)) {
    return absl::DeadlineExceededError(
        absl::StrCat(options_.name, " received no tile within ", absl::FormatDuration(timeout)));
  }
  ScriptedTile tile = std::move(arrived_.front());
  arrived_.pop_front();
  return tile;
}

ScriptedTile ScriptedWorker::IdentityResult(const ScriptedTile& input) const {
  const v1::Tensor& tensor = input.header.tensors(0);
  const v1::Rect& from = tensor.rect();
  const v1::Rect& to = input.header.contribution();
  const size_t pixel = input.payload.size() / (from.width() * from.height());
  ScriptedTile result;
  for (int64_t y = to.y(); y < to.y() + to.height(); ++y) {
    result.payload.append(input.payload,
                          ((y - from.y()) * from.width() + (to.x() - from.x())) * pixel,
                          to.width() * pixel);
  }
  *result.header.mutable_tile() = input.header.tile();
  *result.header.mutable_lease() = input.header.lease();
  v1::Tensor& out = *result.header.add_tensors();
  out = tensor;
  *out.mutable_rect() = to;
  out.mutable_inline_()->set_bytes(result.payload.size());
  result.header.set_payload_bytes(result.payload.size());
  result.header.set_checksum(Checksum(absl::MakeConstSpan(
      reinterpret_cast<const std::byte*>(result.payload.data()), result.payload.size())));
  result.header.set_worker(options_.name);
  result.header.set_incarnation(incarnation_);
  result.header.set_plan_digest(input.header.plan_digest());
  result.header.set_model_digest(input.header.model_digest());
  result.header.mutable_cost()->set_batch(1);
  result.header.mutable_cost()->set_engine_seconds(0.001);
  result.header.mutable_cost()->set_total_seconds(0.001);
  return result;
}

absl::StatusOr<v1::TileVerdict> ScriptedWorker::SubmitOnFreshStream(const ScriptedTile& result) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(10)));
  const auto stream = stub_->SubmitTiles(&context);
  v1::SubmitTilesRequest request;
  request.set_worker(options_.name);
  request.set_incarnation(incarnation_);
  bool written = stream->Write(request);
  request.Clear();
  v1::TileFrame& frame = *request.add_frames();
  *frame.mutable_header() = result.header;
  frame.set_payload(result.payload);
  written = written && stream->Write(request);
  v1::SubmitTilesResponse response;
  const bool answered = written && stream->Read(&response) && response.verdicts_size() == 1;
  if (answered) {
    stream->WritesDone();
  } else {
    context.TryCancel();
  }
  const absl::Status ended = FromGrpc(stream->Finish());
  if (answered) return response.verdicts(0);
  return ended.ok() ? absl::InternalError("the stream ended without a verdict") : ended;
}

}  // namespace tilewright
