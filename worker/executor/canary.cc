#include "worker/executor/canary.h"

#include <xxhash.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "proto/base/status_macros.h"
#include "proto/wire/noise.h"

namespace tilewright {
namespace {

constexpr size_t kExecutions = 2;

struct FreeState {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

std::vector<NetworkTile> NoiseTiles(const StageNumbers& numbers, int batch, uint64_t seed) {
  std::vector<NetworkTile> tiles;
  for (int t = 0; t < batch; ++t) {
    TileTask task;
    task.index = static_cast<uint64_t>(t);
    task.samples.resize(static_cast<size_t>(numbers.shape.area() * numbers.channels.samples_in *
                                            BytesPerSample(numbers.input_type)));
    FillNoise(seed + static_cast<uint64_t>(t), numbers.input_type, absl::MakeSpan(task.samples));
    tiles.push_back(ToNetworkTile(numbers, task));
  }
  return tiles;
}

// `outputs` in the order of t.
std::vector<float> ExcerptOf(const std::vector<NetworkTile>& outputs) {
  size_t values = 0;
  for (const NetworkTile& output : outputs) values += output.values.size();
  const size_t count = std::min(values, kExcerptValuesMax);
  std::vector<float> excerpt;
  excerpt.reserve(count);
  size_t first = 0;  // place of the tile's first value
  for (const NetworkTile& output : outputs) {
    const size_t end = first + output.values.size();
    for (size_t k = excerpt.size(); k < count && k * values / count < end; ++k)
      excerpt.push_back(output.values[k * values / count - first]);
    first = end;
  }
  return excerpt;
}

}  // namespace

absl::StatusOr<Executor::CanaryOutcome> DigestCanary(const StageNumbers& numbers, int batch,
                                                     uint64_t seed, Stage& stage) {
  const std::vector<NetworkTile> tiles = NoiseTiles(numbers, batch, seed);
  const std::unique_ptr<XXH3_state_t, FreeState> state(XXH3_createState());
  XXH3_128bits_reset(state.get());
  Executor::CanaryOutcome outcome;
  for (size_t execution = 0; execution < kExecutions; ++execution) {
    // Slot s holds tile (s + execution) mod batch.
    std::vector<NetworkTile> slots;
    for (size_t s = 0; s < tiles.size(); ++s)
      slots.push_back(tiles[(s + execution) % tiles.size()]);
    const auto start = std::chrono::steady_clock::now();
    TW_ASSIGN_OR_RETURN(const std::vector<NetworkTile> outputs, stage.Run(slots));
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    outcome.seconds = elapsed.count();  // of the last one: everything is warm by then
    if (outputs.size() != tiles.size()) {
      return EngineError(
          v1::FAILURE_CAUSE_BAD_RESULT,
          absl::StrCat("canary: the engine gave ", outputs.size(), " tiles for ", tiles.size()));
    }
    if (execution == 0) outcome.excerpt = ExcerptOf(outputs);
    for (size_t t = 0; t < tiles.size(); ++t) {
      const NetworkTile& output =
          outputs[(t + tiles.size() - execution % tiles.size()) % tiles.size()];
      if (output.index != t) {
        return EngineError(v1::FAILURE_CAUSE_BAD_RESULT,
                           absl::StrCat("canary: slot holds tile ", output.index, ", not ", t));
      }
      XXH3_128bits_update(state.get(), output.values.data(), output.values.size() * sizeof(float));
    }
  }
  const XXH128_hash_t digest = XXH3_128bits_digest(state.get());
  outcome.digest = absl::StrFormat("%016x%016x", digest.high64, digest.low64);
  return outcome;
}

}  // namespace tilewright
