#include "coordinator/image/image_library.h"

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "coordinator/image/image_reader.h"

namespace tilewright {
namespace {

// libvips decodes with its own threads; more of them than this only costs memory.
constexpr unsigned kVipsThreadsMax = 8;

void DropLog(const gchar* /*domain*/, GLogLevelFlags /*level*/, const gchar* /*text*/,
             gpointer /*data*/) {}

absl::Status Start(const char* program) {
  if (VIPS_INIT(program) != 0) {
    return absl::InternalError(
        absl::StrCat("libvips cannot start: ", TakeVipsError("no reason given")));
  }
  vips_cache_set_max(0);
  vips_concurrency_set(
      static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, kVipsThreadsMax)));
  // Loaders that libvips itself calls unfit for files from strangers.
  vips_block_untrusted_set(TRUE);
  // Warnings either become errors (a damaged file) or are of no use to anyone.
  g_log_set_handler("VIPS", static_cast<GLogLevelFlags>(G_LOG_LEVEL_WARNING | G_LOG_LEVEL_INFO),
                    DropLog, nullptr);
  return absl::OkStatus();
}

}  // namespace

absl::Status StartImageLibrary(const char* program) {
  static const absl::Status* const started = new absl::Status(Start(program));
  return *started;
}

std::string TakeVipsError(const char* otherwise) {
  gchar* const text = vips_error_buffer_copy();
  std::vector<std::string> lines = absl::StrSplit(text, '\n', absl::SkipWhitespace());
  g_free(text);
  if (lines.empty()) return otherwise;
  lines.resize(std::min<size_t>(lines.size(), 2));
  for (std::string& line : lines) absl::StripAsciiWhitespace(&line);
  return absl::StrJoin(lines, ": ");
}

}  // namespace tilewright
