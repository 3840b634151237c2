#include "client/cli/sequence_report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/cli/json_error.h"
#include "client/cli/json_writer.h"
#include "client/cli/report.h"

namespace tilewright {
namespace {

// --json names them all.
constexpr size_t kFailedShownMax = 20;

void WriteFrame(JsonWriter& json, const FrameResult& result) {
  json.BeginObject().Key("type").String("frame").Key("frame").Integer(result.number);
  json.Key("state").String(FrameState(result));
  json.Key("input").String(result.input).Key("output").String(result.output);
  json.Key("job").String(result.job.has_value() ? result.job->name : "");
  json.Key("pixel_hash").String(result.job.has_value() ? result.job->pixel_hash : "");
  json.Key("error");
  WriteError(json, result.status);
  json.EndObject();
}

// Its bits are as good as they should be.
ExitCode CodeOf(const FrameResult& result) {
  if (result.skipped) return ExitCode::kOk;
  if (!result.job.has_value() || result.status.ok()) {
    return result.job.has_value() ? ExitCodeOf(*result.job) : ExitCodeOf(result.status);
  }
  const ExitCode code = ExitCodeOf(*result.job);
  return code == ExitCode::kOk ? ExitCodeOf(result.status) : code;
}

}  // namespace

std::string FrameState(const FrameResult& result) {
  if (result.skipped) return "skipped";
  if (result.status.ok()) return "rendered";
  return absl::IsCancelled(result.status) ? "cancelled" : "failed";
}

void SequenceProgress::Add(const FrameResult& result) {
  ++ended_;
  if (FrameState(result) == "failed") ++failed_;
}

std::string SequenceProgress::Line(const FrameResult& result) const {
  return absl::StrCat("frame ", result.number, " ", FrameState(result),
                      result.status.ok() ? "" : absl::StrCat(": ", ErrorSentence(result.status)),
                      "  (", ended_, " of ", frames_,
                      failed_ == 0 ? ")" : absl::StrCat(", ", failed_, " failed)"));
}

std::string SequenceReport(const std::vector<FrameResult>& results) {
  const auto count = [&results](const std::string& state) {
    return std::count_if(results.begin(), results.end(),
                         [&](const FrameResult& result) { return FrameState(result) == state; });
  };
  std::string text =
      absl::StrCat("frames         ", results.size(), ": ", count("rendered"), " rendered");
  for (const char* state : {"skipped", "failed", "cancelled"}) {
    if (count(state) > 0) absl::StrAppend(&text, ", ", count(state), " ", state);
  }
  absl::StrAppend(&text, "\n");
  size_t failed = 0;
  for (const FrameResult& result : results) {
    if (FrameState(result) != "failed" || ++failed > kFailedShownMax) continue;
    absl::StrAppend(&text, "failed         ", result.number, ": ", ErrorSentence(result.status),
                    "\n");
  }
  if (failed > kFailedShownMax) {
    absl::StrAppend(&text, "               and ", failed - kFailedShownMax, " more\n");
  }
  return text;
}

std::string FrameDocument(const FrameResult& result) {
  JsonWriter json;
  WriteFrame(json, result);
  return json.text();
}

std::string SequenceDocument(const std::vector<FrameResult>& results) {
  JsonWriter json;
  json.BeginObject().Key("frames").BeginArray();
  for (const FrameResult& result : results) WriteFrame(json, result);
  json.EndArray().EndObject();
  return json.text();
}

ExitCode SequenceExitCode(const std::vector<FrameResult>& results) {
  ExitCode code = ExitCode::kOk;
  for (const FrameResult& result : results) {
    const ExitCode frame = CodeOf(result);
    if (frame == ExitCode::kOk) continue;
    if (frame != ExitCode::kCancelled) return frame;
    code = frame;
  }
  return code;
}

}  // namespace tilewright
