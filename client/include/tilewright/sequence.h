// Renders numbered frames through one model: each is a job of its own, a few at a time.

#ifndef TILEWRIGHT_CLIENT_SEQUENCE_H_
#define TILEWRIGHT_CLIENT_SEQUENCE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tilewright/client.h"
#include "tilewright/types.h"

namespace tilewright {

struct SequenceRequest {
  // What all frames share. Where a frame's number stands, `input` and `output` hold "%d" or "%0Nd"
  // (N digits at least) once, `mask` at most once; "%%" is a percent sign. An `input` without a
  // number is a TIFF of several pages: these are the frames, and the first one is 0. No request_id.
  RenderRequest frame;
  // Numbers of the first and last frame. Without them, frames are the inputs that exist, or all
  // pages.
  std::optional<uint64_t> first;
  std::optional<uint64_t> last;
  int in_flight = 8;  // jobs at once, 1 to 64
  // Frames whose output exists are done: they are skipped, and the rest is rendered. Not together
  // with frame.overwrite.
  bool skip_existing = false;
  // Each frame's `previous` is the output of the nearest frame before it that has one, skipped ones
  // included; until there is one, frame.previous. So frames are rendered one after the other, and a
  // frame that fails loses only itself.
  bool feed_back = false;
};

struct FrameResult {
  uint64_t number = 0;
  std::string input;
  std::string output;
  bool skipped = false;  // its output was there
  // OK if the output lies at its place; CANCELLED if the frame was not begun or was cancelled; else
  // why it failed, or its job.
  absl::Status status;
  std::optional<Job> job;  // the last that is known of it; absent if none was submitted
};

class Sequence {
 public:
  static constexpr size_t kFramesMax = 1'000'000;
  static constexpr int kInFlightMax = 64;

  // Finds the frames. INVALID_ARGUMENT (BAD_PATTERN, BAD_REQUEST), NOT_FOUND (INPUT_MISSING),
  // RESOURCE_EXHAUSTED (TOO_MANY_FRAMES) above kFramesMax. Where they are pages it plans one of
  // them to learn how many there are: errors of that, and INVALID_ARGUMENT
  // (NO_SUCH_PAGE). A file that the coordinator does not see is uploaded for that and again for
  // each frame. `client` outlives the sequence.
  static absl::StatusOr<std::unique_ptr<Sequence>> Create(Client* client, SequenceRequest request);
  ~Sequence();
  Sequence(const Sequence&) = delete;
  Sequence& operator=(const Sequence&) = delete;

  // Numbers of the frames, ascending.
  const std::vector<uint64_t>& frames() const;
  // The request of one frame; with feed_back, without what earlier frames give it.
  RenderRequest RequestOf(uint64_t number) const;

  // Renders the frames and blocks until that is over; once. Frames begin in order; `ended` hears of
  // each as it ends, one at a time, from any thread. One that fails does not keep the others back,
  // except that nothing is begun any more once the coordinator is UNAVAILABLE. A job that the
  // coordinator refuses because there are too many waits for an earlier frame's end. The results
  // are in the order of frames().
  std::vector<FrameResult> Run(absl::FunctionRef<void(const FrameResult&)> ended);

  // Begins no more frames and cancels those under way. Any thread, any time.
  void Cancel();

 private:
  class Impl;
  explicit Sequence(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_SEQUENCE_H_
