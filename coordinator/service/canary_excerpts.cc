#include "coordinator/service/canary_excerpts.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tilewright {

absl::Status CanaryExcerpts::Keep(const std::string& numeric_class, absl::string_view excerpt) {
  if (numeric_class.empty() || excerpt.empty()) return absl::OkStatus();
  if (numeric_class.size() > kClassBytesMax || excerpt.size() > kValuesMax * sizeof(float)) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "an excerpt of ", excerpt.size(), " bytes for a class named by ", numeric_class.size(),
        " is not kept: at most ", kValuesMax * sizeof(float), " and ", kClassBytesMax, " may be"));
  }
  if (excerpt.size() % sizeof(float) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("an excerpt of ", excerpt.size(),
                                                   " bytes is not kept: values have ",
                                                   sizeof(float), " bytes each"));
  }
  std::vector<float> values(excerpt.size() / sizeof(float));
  std::memcpy(values.data(), excerpt.data(), excerpt.size());
  const auto bad =
      std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  if (bad != values.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("an excerpt is not kept: its value ", bad - values.begin(), " is not finite"));
  }
  auto [kept, first] = by_class_.try_emplace(numeric_class);
  if (first) kept->second.values = std::move(values);
  kept->second.sent = ++calls_;
  if (by_class_.size() > kClassesMax) {
    by_class_.erase(std::min_element(
        by_class_.begin(), by_class_.end(),
        [](const auto& a, const auto& b) { return a.second.sent < b.second.sent; }));
  }
  return absl::OkStatus();
}

std::optional<double> CanaryExcerpts::LargestDifference(
    const std::set<std::string>& classes) const {
  std::vector<const std::vector<float>*> known;
  for (const std::string& numeric_class : classes) {
    const auto kept = by_class_.find(numeric_class);
    if (kept == by_class_.end()) continue;
    const std::vector<float>& values = kept->second.values;
    if (known.empty() || values.size() == known.front()->size()) known.push_back(&values);
  }
  if (known.size() < 2) return std::nullopt;
  double largest = 0;
  for (size_t place = 0; place < known.front()->size(); ++place) {
    const auto [least, most] = std::minmax_element(
        known.begin(), known.end(),
        [place](const auto* a, const auto* b) { return (*a)[place] < (*b)[place]; });
    largest = std::max(largest, double{(**most)[place]} - double{(**least)[place]});
  }
  return largest;
}

}  // namespace tilewright
