#include "worker/executor/repeat_guard.h"

#include <xxhash.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "worker/engine/forwarding_engine.h"

namespace tilewright {
namespace {

uint64_t Hash(const std::vector<float>& values) {
  return XXH3_64bits(values.data(), values.size() * sizeof(float));
}

// Whether all pixels are the same: many tiles of a picture may well give that.
bool IsConstant(const NetworkTile& tile) {
  const auto step = static_cast<std::ptrdiff_t>(tile.channels);
  return step <= 0 || static_cast<std::ptrdiff_t>(tile.values.size()) <= step ||
         std::equal(tile.values.begin() + step, tile.values.end(), tile.values.begin());
}

// What went in and what came out.
struct Seen {
  uint64_t input = 0;
  uint64_t output = 0;
};

class GuardedStage : public ForwardingStage {
 public:
  using ForwardingStage::ForwardingStage;

  InFlight<Outputs> Begin(absl::Span<const NetworkTile> inputs) override {
    return inner().Begin(inputs).Then(
        [this, inputs](Outputs outputs) { return Check(inputs, std::move(outputs)); });
  }

 private:
  // The outputs of the first run, or of a second one.
  Outputs Check(absl::Span<const NetworkTile> inputs, Outputs first) {
    for (int run = 1;; ++run) {
      TW_ASSIGN_OR_RETURN(std::vector<NetworkTile> outputs,
                          run == 1 ? std::move(first) : inner().Run(inputs));
      std::vector<Seen> seen;
      const std::vector<size_t> repeated = Repeated(inputs, outputs, &seen);
      bool believed = repeated.empty();
      if (!believed && run == 2) {
        TW_ASSIGN_OR_RETURN(believed, Follow(inputs, repeated, seen));
        if (!believed) {
          return EngineError(v1::FAILURE_CAUSE_BAD_RESULT,
                             absl::StrCat("the engine gave tile ", inputs[repeated.front()].index,
                                          " the output of a different tile, twice"));
        }
      }
      if (!believed) continue;
      if (before_.size() == kInFlightMax) before_.pop_front();
      before_.push_back(std::move(seen));
      return outputs;
    }
  }

  // The tiles whose output is that of another one, of the runs before or earlier in this one, which
  // becomes `now`.
  std::vector<size_t> Repeated(absl::Span<const NetworkTile> inputs,
                               const std::vector<NetworkTile>& outputs,
                               std::vector<Seen>* now) const {
    std::vector<size_t> repeated;
    // Another number of outputs is found by those who rely on it.
    for (size_t i = 0; i < std::min(inputs.size(), outputs.size()); ++i) {
      const Seen seen{Hash(inputs[i].values), Hash(outputs[i].values)};
      const auto same = [&seen](const Seen& other) {
        return other.output == seen.output && other.input != seen.input;
      };
      const auto holds_same = [&same](const std::vector<Seen>& run) {
        return std::any_of(run.begin(), run.end(), same);
      };
      if ((holds_same(*now) || std::any_of(before_.begin(), before_.end(), holds_same)) &&
          !IsConstant(outputs[i])) {
        repeated.push_back(i);
      }
      now->push_back(seen);
    }
    return repeated;
  }

  // Whether the outputs of these tiles follow their inputs: they change when the inputs do, and
  // come out as they were `seen` when the inputs are as they were.
  absl::StatusOr<bool> Follow(absl::Span<const NetworkTile> inputs,
                              const std::vector<size_t>& tiles, const std::vector<Seen>& seen) {
    std::vector<NetworkTile> others(inputs.begin(), inputs.end());
    for (const size_t i : tiles) {
      for (float& value : others[i].values) value += value > 0.5f ? -0.5f : 0.5f;
    }
    TW_ASSIGN_OR_RETURN(const std::vector<NetworkTile> changed, inner().Run(others));
    TW_ASSIGN_OR_RETURN(const std::vector<NetworkTile> again, inner().Run(inputs));
    return std::all_of(tiles.begin(), tiles.end(), [&](size_t i) {
      return i < changed.size() && i < again.size() && Hash(changed[i].values) != seen[i].output &&
             Hash(again[i].values) == seen[i].output;
    });
  }

  std::deque<std::vector<Seen>> before_;  // the last runs that passed, kInFlightMax at most
};

class GuardedEngine : public ForwardingEngine {
 public:
  using ForwardingEngine::ForwardingEngine;

  absl::StatusOr<std::unique_ptr<Stage>> Load(
      const LocalModel& model, const StageKey& key,
      const std::function<void(std::string)>& progress) override {
    TW_ASSIGN_OR_RETURN(std::unique_ptr<Stage> stage, ForwardingEngine::Load(model, key, progress));
    return std::make_unique<GuardedStage>(std::move(stage));
  }
};

}  // namespace

std::unique_ptr<Engine> CreateRepeatGuard(std::unique_ptr<Engine> inner) {
  return std::make_unique<GuardedEngine>(std::move(inner));
}

}  // namespace tilewright
