// What the dispatcher needs of a worker's streams, free of gRPC, so that it is tested with fakes.
// Implementations are thread-safe and never block; calls after the stream ended do nothing.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_WORKER_STREAMS_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_WORKER_STREAMS_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "proto/wire/tile_frames.h"
#include "tilewright/v1/worker_service.pb.h"

namespace tilewright {

// The control stream of a worker.
class ControlSink {
 public:
  virtual ~ControlSink() = default;
  // Sends the events in order; several calls may travel in one message.
  virtual void Send(std::vector<v1::CoordinatorEvent> events) = 0;
  // Ends the stream with that status.
  virtual void Close(const absl::Status& status) = 0;
};

// The stream of inputs to a worker. Whenever bytes have left, it calls Dispatcher::InputsSent.
class InputSink {
 public:
  virtual ~InputSink() = default;
  virtual void Send(std::vector<OutgoingTile> tiles) = 0;
  // Payload bytes taken and not yet sent.
  virtual int64_t pending_bytes() const = 0;
  virtual void Close(const absl::Status& status) = 0;
};

// A stream of results that waits for room in the merge queue.
class ResultSource {
 public:
  virtual ~ResultSource() = default;
  // There is room: read on.
  virtual void Resume() = 0;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_WORKER_STREAMS_H_
