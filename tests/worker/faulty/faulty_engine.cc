#include "tests/worker/faulty/faulty_engine.h"

#include <cstdlib>
#include <limits>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "proto/base/status_macros.h"
#include "tests/worker/faulty/failing_new.h"

namespace tilewright {
namespace {

uint64_t runs = 0;  // of this process

class FaultyStage : public Stage {
 public:
  FaultyStage(const EngineFaults& faults, std::unique_ptr<Stage> inner)
      : faults_(faults), inner_(std::move(inner)) {}

  absl::StatusOr<std::vector<NetworkTile>> Run(absl::Span<const NetworkTile> inputs) override {
    ++runs;
    uint64_t pixels = 0;
    for (const NetworkTile& tile : inputs) pixels += static_cast<uint64_t>(tile.size.area());
    TW_RETURN_IF_ERROR(FailBefore(pixels));
    absl::StatusOr<std::vector<NetworkTile>> outputs = [&] {
      const FailingNew failing(faults_.Of("oom-every"));
      return inner_->Run(inputs);
    }();
    if (outputs.ok()) Spoil(pixels, &*outputs);
    return outputs;
  }
  uint64_t MemoryEstimate() const override { return inner_->MemoryEstimate(); }
  uint64_t StateBytes() const override { return inner_->StateBytes(); }

 private:
  bool Now(const std::string& word) const {
    const uint64_t number = faults_.Of(word);
    return number > 0 && (runs == number || (faults_.Onwards(word) && runs > number));
  }

  absl::Status FailBefore(uint64_t pixels) const {
    absl::SleepFor(absl::Milliseconds(static_cast<int64_t>(faults_.Of("slow"))));
    if (Now("oom") || (faults_.Of("oom-pixels") > 0 && pixels > faults_.Of("oom-pixels"))) {
      return EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY, "no memory, by order", pixels * 4);
    }
    if (Now("lost")) return EngineError(v1::FAILURE_CAUSE_DEVICE_LOST, "error 719, by order");
    const bool too_long = faults_.Of("timeout-pixels") > 0 && pixels > faults_.Of("timeout-pixels");
    if (Now("timeout") || too_long)
      return EngineError(v1::FAILURE_CAUSE_LAUNCH_TIMEOUT, "702, by order");
    if (Now("crash")) std::abort();
    if (Now("no-memory")) std::thread([] { throw std::bad_alloc(); }).join();
    while (Now("hang")) absl::SleepFor(absl::Hours(1));
    return absl::OkStatus();
  }

  void Spoil(uint64_t pixels, std::vector<NetworkTile>* outputs) {
    NetworkTile& first = outputs->front();
    if (Now("nan")) {
      // In the middle: what lies in the halo would be thrown away.
      const int64_t middle = first.size.height / 2 * first.size.width + first.size.width / 2;
      first.values[static_cast<size_t>(middle * first.channels)] =
          std::numeric_limits<float>::quiet_NaN();
    }
    if (Now("shape")) {
      --first.size.width;
      first.values.resize(static_cast<size_t>(first.size.area() * first.channels));
    }
    if (Now("constant")) first.values.assign(first.values.size(), 0.5f);
    if (Now("stale") && !last_.empty()) first.values = last_;
    if (pixels < faults_.Of("other-bits")) first.values.front() += 0.25f;
    if (faults_.Of("stale") > 0) last_ = first.values;
  }

  const EngineFaults faults_;
  const std::unique_ptr<Stage> inner_;
  std::vector<float> last_;
};

class FaultyEngine : public Engine {
 public:
  FaultyEngine(const EngineFaults& faults, std::unique_ptr<Engine> inner)
      : faults_(faults), inner_(std::move(inner)) {}

  std::string name() const override { return inner_->name(); }
  std::string environment_key() const override { return inner_->environment_key(); }
  EngineDevice ExamineDevice() override {
    EngineDevice device = inner_->ExamineDevice();
    if (faults_.Of("memory") > 0) {
      device.memory_total_bytes = device.memory_free_bytes = faults_.Of("memory");
    }
    return device;
  }
  absl::StatusOr<std::unique_ptr<Stage>> Load(
      const LocalModel& model, const StageKey& key,
      const std::function<void(std::string)>& progress) override {
    while (faults_.Of("hang-load") > 0) absl::SleepFor(absl::Hours(1));
    TW_ASSIGN_OR_RETURN(std::unique_ptr<Stage> stage, inner_->Load(model, key, progress));
    return std::make_unique<FaultyStage>(faults_, std::move(stage));
  }
  void DropCaches() override { inner_->DropCaches(); }

 private:
  const EngineFaults faults_;
  const std::unique_ptr<Engine> inner_;
};

}  // namespace

absl::StatusOr<EngineFaults> EngineFaults::Parse(absl::string_view text) {
  constexpr const char* kWords[] = {
      "oom",    "oom-every",  "oom-pixels", "lost",      "timeout",       "crash",
      "hang",   "slow",       "nan",        "shape",     "constant",      "stale",
      "memory", "other-bits", "no-memory",  "hang-load", "timeout-pixels"};
  EngineFaults faults;
  for (absl::string_view word : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(word, absl::MaxSplits(':', 1));
    When when;
    when.onwards = absl::EndsWith(parts.second, "+");
    bool known = absl::SimpleAtoi(absl::StripSuffix(parts.second, "+"), &when.number);
    known = known && when.number > 0;
    bool named = false;
    for (const char* name : kWords) named = named || parts.first == name;
    if (!known || !named) {
      return absl::InvalidArgumentError(absl::StrCat("'", word, "' is no fault of an engine"));
    }
    faults.words_[std::string(parts.first)] = when;
  }
  return faults;
}

uint64_t EngineFaults::Of(const std::string& word) const {
  const auto it = words_.find(word);
  return it == words_.end() ? 0 : it->second.number;
}

bool EngineFaults::Onwards(const std::string& word) const {
  const auto it = words_.find(word);
  return it != words_.end() && it->second.onwards;
}

std::unique_ptr<Engine> CreateFaultyEngine(const EngineFaults& faults,
                                           std::unique_ptr<Engine> inner) {
  return std::make_unique<FaultyEngine>(faults, std::move(inner));
}

}  // namespace tilewright
