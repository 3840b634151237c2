#include "tests/worker/link/fake_coordinator.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/wire/channel.h"
#include "proto/wire/segment.h"
#include "proto/wire/slots.h"

namespace tilewright {

FakeCoordinator::FakeCoordinator() {
  grpc::ServerBuilder builder;
  EXPECT_TRUE(ConfigureServer("127.0.0.1:0", /*insecure=*/false, builder, &port_).ok());
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
}

FakeCoordinator::~FakeCoordinator() {
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(100));
}

std::string FakeCoordinator::address() const { return absl::StrCat("127.0.0.1:", port_); }

void FakeCoordinator::SetEpoch(uint64_t epoch) {
  absl::MutexLock lock(&mutex_);
  epoch_ = epoch;
}

void FakeCoordinator::RefuseHellos(const grpc::Status& status) {
  absl::MutexLock lock(&mutex_);
  refusal_ = status;
}

void FakeCoordinator::SetJudge(Judge judge) {
  absl::MutexLock lock(&mutex_);
  judge_ = std::move(judge);
}

void FakeCoordinator::ShareMemory(bool share) {
  absl::MutexLock lock(&mutex_);
  share_ = share;
}

void FakeCoordinator::AddModel(const std::string& digest,
                               std::map<std::string, std::string> files) {
  absl::MutexLock lock(&mutex_);
  models_[digest] = std::move(files);
}

void FakeCoordinator::Send(const v1::CoordinatorEvent& event) {
  v1::ControlResponse response;
  *response.add_events() = event;
  absl::MutexLock lock(&mutex_);
  ASSERT_NE(control_, nullptr) << "no control stream";
  control_->Write(response);
}

void FakeCoordinator::Grant(const v1::Lease& lease) {
  v1::CoordinatorEvent event;
  *event.mutable_grant() = lease;
  Send(event);
}

void FakeCoordinator::TakeBack(const v1::LeaseId& lease, const std::vector<uint64_t>& tiles) {
  v1::CoordinatorEvent event;
  *event.mutable_take_back()->mutable_lease() = lease;
  for (uint64_t tile : tiles) event.mutable_take_back()->add_tiles(tile);
  Send(event);
}

void FakeCoordinator::SendInput(const v1::TileHeader& header, const std::string& payload) {
  v1::TileFrames frames;
  *frames.add_frames()->mutable_header() = header;
  frames.mutable_frames(0)->set_payload(payload);
  absl::MutexLock lock(&mutex_);
  inputs_.push_back(std::move(frames));
}

void FakeCoordinator::BreakControl(const grpc::Status& status) {
  absl::MutexLock lock(&mutex_);
  break_control_ = status;
}

void FakeCoordinator::BreakResults() {
  absl::MutexLock lock(&mutex_);
  break_results_ = true;
}

bool FakeCoordinator::Await(const std::function<bool()>& reached) {
  for (const absl::Time deadline = absl::Now() + absl::Seconds(10); !reached();) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return true;
}

std::vector<v1::WorkerEvent> FakeCoordinator::Events() const {
  absl::MutexLock lock(&mutex_);
  return events_;
}

std::vector<FakeCoordinator::Result> FakeCoordinator::Results() const {
  absl::MutexLock lock(&mutex_);
  return results_;
}

std::vector<v1::WorkerEvent> FakeCoordinator::Events(v1::WorkerEvent::EventCase kind) const {
  std::vector<v1::WorkerEvent> matching;
  for (v1::WorkerEvent& event : Events()) {
    if (event.event_case() == kind) matching.push_back(std::move(event));
  }
  return matching;
}

grpc::Status FakeCoordinator::Control(grpc::ServerContext*, ControlIo* stream) {
  v1::ControlRequest request;
  while (stream->Read(&request)) {
    absl::MutexLock lock(&mutex_);
    for (const v1::WorkerEvent& event : request.events()) {
      events_.push_back(event);
      if (!event.has_hello()) continue;
      ++hellos_;
      if (refusal_) return *refusal_;
      control_ = stream;
      v1::ControlResponse response;
      v1::HelloReply* reply = response.add_events()->mutable_hello();
      reply->mutable_protocol()->set_major(1);
      reply->set_epoch(epoch_);
      reply->set_heartbeat_ms(20);
      segment_ = nullptr;
      if (share_) {
        auto segment = Segment::Open(event.hello().segment());
        EXPECT_TRUE(segment.ok()) << segment.status();
        segment_ = *std::move(segment);
        reply->add_features(std::string(kSegmentFeature));
      }
      stream->Write(response);
    }
    if (break_control_) {
      control_ = nullptr;
      return *std::exchange(break_control_, std::nullopt);
    }
  }
  absl::MutexLock lock(&mutex_);
  if (control_ == stream) control_ = nullptr;
  return grpc::Status::OK;
}

grpc::Status FakeCoordinator::ReceiveTiles(grpc::ServerContext* context,
                                           const v1::ReceiveTilesRequest*,
                                           grpc::ServerWriter<v1::TileFrames>* writer) {
  std::optional<SlotWriter> slots;
  {
    absl::MutexLock lock(&mutex_);
    if (segment_) slots.emplace(segment_, SegmentHalf::kInputs);
  }
  while (!context->IsCancelled()) {
    v1::TileFrames frames;
    {
      absl::MutexLock lock(&mutex_);
      if (!inputs_.empty()) {
        frames = std::move(inputs_.front());
        inputs_.pop_front();
      }
    }
    if (frames.frames_size() == 0) {
      absl::SleepFor(absl::Milliseconds(2));
    } else {
      v1::TileFrame* frame = frames.mutable_frames(0);
      const std::string& payload = frame->payload();
      if (slots) {
        const auto slice = slots->Put(absl::MakeConstSpan(
            reinterpret_cast<const std::byte*>(payload.data()), payload.size()));
        if (slice) {
          *frame->mutable_slice() = *slice;
          frame->clear_payload();
        }
      }
      writer->Write(frames);
    }
  }
  return grpc::Status::OK;
}

grpc::Status FakeCoordinator::SubmitTiles(grpc::ServerContext*, ResultIo* stream) {
  int number = 0;
  std::shared_ptr<Segment> segment;
  {
    absl::MutexLock lock(&mutex_);
    number = ++result_streams_;
    segment = segment_;
  }
  v1::SubmitTilesRequest request;
  while (stream->Read(&request)) {
    v1::SubmitTilesResponse response;
    absl::MutexLock lock(&mutex_);
    for (const v1::TileFrame& frame : request.frames()) {
      if (frame.has_header()) results_.push_back({frame.header(), "", number});
      results_.back().payload += frame.payload();
      if (frame.has_slice()) {
        const auto bytes = segment->View(SegmentHalf::kResults, frame.slice());
        if (!bytes.ok()) return grpc::Status(grpc::StatusCode::ABORTED, "a bad slice");
        results_.back().payload.append(reinterpret_cast<const char*>(bytes->data()), bytes->size());
        EXPECT_TRUE(segment->Release(SegmentHalf::kResults, frame.slice()).ok());
        ++slices_;
      }
      const Result& result = results_.back();
      if (result.payload.size() < result.header.payload_bytes()) continue;
      const auto verdict =
          judge_ ? judge_(result) : std::optional(v1::TileVerdict::VERDICT_ACCEPTED);
      if (!verdict) continue;
      v1::TileVerdict* answer = response.add_verdicts();
      *answer->mutable_tile() = result.header.tile();
      *answer->mutable_lease() = result.header.lease();
      answer->set_verdict(*verdict);
    }
    if (request.frames_size() > 0 && std::exchange(break_results_, false)) {
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the test broke it");
    }
    if (response.verdicts_size() > 0) stream->Write(response);
  }
  return grpc::Status::OK;
}

grpc::Status FakeCoordinator::FetchModel(grpc::ServerContext*, const v1::FetchModelRequest* request,
                                         grpc::ServerWriter<v1::FetchModelResponse>* writer) {
  ++fetches_;
  std::map<std::string, std::string> files;
  {
    absl::MutexLock lock(&mutex_);
    files = models_[request->model_digest()];
  }
  if (files.empty()) return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such model");
  for (const auto& [name, contents] : files) {
    const size_t half = contents.size() / 2;
    v1::FetchModelResponse piece;
    piece.set_file(name);
    piece.set_file_bytes(contents.size());
    piece.set_data(contents.substr(0, half));
    writer->Write(piece);
    piece.Clear();
    piece.set_data(contents.substr(half));
    writer->Write(piece);
  }
  return grpc::Status::OK;
}

}  // namespace tilewright
