// What the program tells about the frames of a sequence. Pure; SequenceProgress is
// thread-compatible.

#ifndef TILEWRIGHT_CLIENT_CLI_SEQUENCE_REPORT_H_
#define TILEWRIGHT_CLIENT_CLI_SEQUENCE_REPORT_H_

#include <cstddef>
#include <string>
#include <vector>

#include "client/cli/exit_code.h"
#include "tilewright/sequence.h"

namespace tilewright {

// "rendered", "skipped", "cancelled" or "failed".
std::string FrameState(const FrameResult& result);

// Counts frames as they end.
class SequenceProgress {
 public:
  explicit SequenceProgress(size_t frames) : frames_(frames) {}

  void Add(const FrameResult& result);
  // "frame 12 failed: no such file [INPUT_MISSING]  (3 of 100, 1 failed)".
  std::string Line(const FrameResult& result) const;

 private:
  const size_t frames_;
  size_t ended_ = 0;
  size_t failed_ = 0;
};

// How many frames came to what, and each that failed, at most the first 20.
std::string SequenceReport(const std::vector<FrameResult>& results);

// {type: "frame", frame, state, input, output, job, pixel_hash, error}; error is null or {code,
// reason, message}.
std::string FrameDocument(const FrameResult& result);
// {frames: [...]}, each as in FrameDocument.
std::string SequenceDocument(const std::vector<FrameResult>& results);

// That of the first frame that is not as it should be: one that failed before one that was
// cancelled.
ExitCode SequenceExitCode(const std::vector<FrameResult>& results);

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_CLI_SEQUENCE_REPORT_H_
