#include "worker/device/number_field.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace tilewright {

std::optional<uint64_t> NumberOfField(const std::string& text, absl::string_view field) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" :\t"), absl::SkipEmpty());
    uint64_t number = 0;
    if (words.size() >= 2 && words[0] == field && absl::SimpleAtoi(words[1], &number)) {
      return number;
    }
  }
  return std::nullopt;
}

}  // namespace tilewright
