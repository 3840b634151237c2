#include "client/src/frame_pattern.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "proto/base/status_macros.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

constexpr int kDigitsMax = 18;

absl::Status BadPattern(absl::string_view text, absl::string_view why) {
  return WithReason(absl::InvalidArgumentError(absl::StrCat(
                        "'", text, "' ", why,
                        ": write %d or %04d once, where the frame's number stands, and %% for a "
                        "percent sign")),
                    "BAD_PATTERN");
}

// Takes "d" or "0Nd" from the front; the least digits, or -1.
int TakeNumber(absl::string_view* text) {
  if (absl::ConsumePrefix(text, "d")) return 0;
  if (!absl::ConsumePrefix(text, "0")) return -1;
  int digits = 0;
  while (!text->empty() && absl::ascii_isdigit(static_cast<unsigned char>(text->front())) &&
         digits <= kDigitsMax) {
    digits = 10 * digits + (text->front() - '0');
    text->remove_prefix(1);
  }
  return digits >= 1 && digits <= kDigitsMax && absl::ConsumePrefix(text, "d") ? digits : -1;
}

}  // namespace

absl::StatusOr<FramePattern> FramePattern::Parse(absl::string_view text) {
  FramePattern pattern;
  absl::string_view rest = text;
  while (!rest.empty()) {
    std::string& side = pattern.numbered() ? pattern.after_ : pattern.before_;
    if (!absl::ConsumePrefix(&rest, "%")) {
      side.push_back(rest.front());
      rest.remove_prefix(1);
      continue;
    }
    if (absl::ConsumePrefix(&rest, "%")) {
      side.push_back('%');
      continue;
    }
    const int digits = TakeNumber(&rest);
    if (digits < 0) return BadPattern(text, "has a % that means nothing here");
    if (pattern.numbered()) return BadPattern(text, "has more than one number");
    pattern.digits_ = digits;
  }
  return pattern;
}

std::string FramePattern::NameOf(uint64_t number) const {
  if (!numbered()) return before_;
  return absl::StrCat(before_, absl::StrFormat("%0*d", digits_, number), after_);
}

bool FramePattern::Match(absl::string_view name, uint64_t* number) const {
  absl::string_view digits = name;
  if (!numbered() || !absl::ConsumePrefix(&digits, before_) ||
      !absl::ConsumeSuffix(&digits, after_) || digits.empty() ||
      !std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit)) {
    return false;
  }
  // "007" is no "%d", and "0000007" no "%04d".
  return absl::SimpleAtoi(digits, number) && NameOf(*number) == name;
}

absl::StatusOr<std::vector<uint64_t>> FindFrames(const std::string& pattern, size_t count_max) {
  const std::filesystem::path path(pattern);
  const std::string folder = path.has_parent_path() ? path.parent_path().string() : ".";
  TW_ASSIGN_OR_RETURN(const FramePattern parent, FramePattern::Parse(folder));
  TW_ASSIGN_OR_RETURN(const FramePattern name, FramePattern::Parse(path.filename().string()));
  if (parent.numbered() || !name.numbered()) {
    return BadPattern(pattern, "does not have its number in the file's name");
  }
  std::vector<uint64_t> numbers;
  std::error_code error;
  std::filesystem::directory_iterator entry(parent.NameOf(0), error);
  for (const std::filesystem::directory_iterator end; !error && entry != end;
       entry.increment(error)) {
    uint64_t number = 0;
    if (!name.Match(entry->path().filename().string(), &number)) continue;
    if (numbers.size() == count_max) {
      return WithReason(absl::ResourceExhaustedError(
                            absl::StrCat("there are more than ", count_max, " files '", pattern,
                                         "': render them in parts, with --first and --last")),
                        "TOO_MANY_FRAMES");
    }
    numbers.push_back(number);
  }
  if (error) {
    return WithReason(absl::NotFoundError(absl::StrCat("looking for '", pattern, "' in '", folder,
                                                       "': ", error.message())),
                      "INPUT_MISSING");
  }
  if (numbers.empty()) {
    return WithReason(absl::NotFoundError(absl::StrCat("there is no file '", pattern, "'")),
                      "INPUT_MISSING");
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace tilewright
