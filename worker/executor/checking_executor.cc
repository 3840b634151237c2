#include "worker/executor/checking_executor.h"

#include <cstring>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "proto/wire/tile_types.h"

namespace tilewright {
namespace {

absl::Status CheckTask(const v1::StageSpec& stage, const TileTask& task) {
  const auto refused = [&task](auto... parts) {
    return EngineError(v1::FAILURE_CAUSE_REFUSED,
                       absl::StrCat("tile ", task.index, ": ", parts...));
  };
  const Size shape{stage.tile_width(), stage.tile_height()};
  if (task.input.size() != shape || task.input.x < 0 || task.input.y < 0) {
    return refused("its input is ", ToString(task.input), ", the stage's tiles are ",
                   ToString(shape));
  }
  const uint64_t bytes = static_cast<uint64_t>(shape.area()) * stage.input_channels() *
                         static_cast<uint64_t>(SampleBytes(stage.input_sample()));
  if (task.samples.size() != bytes) {
    return refused("it came with ", task.samples.size(), " bytes instead of ", bytes);
  }
  const int64_t p = stage.scale_p() == 0 ? 1 : stage.scale_p();
  const int64_t q = stage.scale_q() == 0 ? 1 : stage.scale_q();
  const Rect& input = task.input;
  if (input.x % q != 0 || input.y % q != 0 || shape.width % q != 0 || shape.height % q != 0) {
    return refused("its input ", ToString(input), " is not on multiples of ", q);
  }
  const Rect whole{input.x / q * p, input.y / q * p, shape.width / q * p, shape.height / q * p};
  if (task.contribution.empty() || !whole.Contains(task.contribution)) {
    return refused("its contribution ", ToString(task.contribution), " is not within its output ",
                   ToString(whole));
  }
  return absl::OkStatus();
}

// Whether all pixels of a rectangle of an image are the same.
bool IsConstant(absl::Span<const std::byte> samples, int64_t row_pixels, const Rect& rect,
                size_t pixel_bytes) {
  const auto row = [&](int64_t y) {
    return samples.data() + static_cast<size_t>(y * row_pixels + rect.x) * pixel_bytes;
  };
  const std::byte* first = row(rect.y);
  const size_t bytes = static_cast<size_t>(rect.width) * pixel_bytes;
  // Equal to itself one pixel on: all pixels of the first row are alike; then all rows are.
  if (std::memcmp(first, first + pixel_bytes, bytes - pixel_bytes) != 0) return false;
  for (int64_t y = rect.y + 1; y < rect.bottom(); ++y) {
    if (std::memcmp(first, row(y), bytes) != 0) return false;
  }
  return true;
}

// Whether the input under the contribution is constant; the task was checked.
bool InputIsConstant(const v1::StageSpec& stage, const TileTask& task) {
  const int64_t p = stage.scale_p() == 0 ? 1 : stage.scale_p();
  const int64_t q = stage.scale_q() == 0 ? 1 : stage.scale_q();
  const Rect& out = task.contribution;
  const int64_t left = out.x * q / p - task.input.x;
  const int64_t top = out.y * q / p - task.input.y;
  const Rect under{left, top, (out.right() * q + p - 1) / p - task.input.x - left,
                   (out.bottom() * q + p - 1) / p - task.input.y - top};
  return IsConstant(
      task.samples, task.input.width, under,
      stage.input_channels() * static_cast<uint64_t>(SampleBytes(stage.input_sample())));
}

class CheckingExecutor : public Executor {
 public:
  explicit CheckingExecutor(std::unique_ptr<Executor> inner) : inner_(std::move(inner)) {}

  absl::Status Prepare(const v1::StageSpec& stage, const LocalModel& model,
                       const std::function<void(std::string)>& progress) override {
    return inner_->Prepare(stage, model, progress);
  }

  InFlight<Outcomes> Begin(const v1::StageSpec& stage, std::vector<TileTask> tasks) override {
    Outcomes outcomes(tasks.size());
    std::vector<TileTask> good;
    std::vector<Passed> passed;
    std::set<uint64_t> seen;
    for (size_t i = 0; i < tasks.size(); ++i) {
      outcomes[i].index = tasks[i].index;
      absl::Status status = CheckTask(stage, tasks[i]);
      if (status.ok() && !seen.insert(tasks[i].index).second) {
        status = EngineError(v1::FAILURE_CAUSE_REFUSED,
                             absl::StrCat("tile ", tasks[i].index, " came twice in one batch"));
      }
      if (status.ok() && good.size() == stage.batch()) {
        status = EngineError(
            v1::FAILURE_CAUSE_REFUSED,
            absl::StrCat("tile ", tasks[i].index, " is beyond the batch of ", stage.batch()));
      }
      if (!status.ok()) {
        outcomes[i].samples = status;
        continue;
      }
      passed.push_back({i, tasks[i].contribution, InputIsConstant(stage, tasks[i])});
      good.push_back(std::move(tasks[i]));
    }
    if (good.empty()) {
      return InFlight<Outcomes>(
          [outcomes = std::move(outcomes)]() mutable { return std::move(outcomes); });
    }
    return inner_->Begin(stage, std::move(good))
        .Then([&stage, passed = std::move(passed),
               outcomes = std::move(outcomes)](Outcomes computed) mutable {
          Check(stage, passed, std::move(computed), &outcomes);
          return std::move(outcomes);
        });
  }

  absl::StatusOr<CanaryOutcome> RunCanary(const v1::StageSpec& stage, uint64_t seed) override {
    return inner_->RunCanary(stage, seed);
  }

 private:
  // A task that the engine is given.
  struct Passed {
    size_t place = 0;  // among all tasks
    Rect contribution;
    bool constant_input = false;
  };

  // `computed` are the outcomes of those that passed.
  static void Check(const v1::StageSpec& stage, const std::vector<Passed>& passed,
                    Outcomes computed, Outcomes* outcomes) {
    for (size_t k = 0; k < passed.size(); ++k) {
      TileOutcome& outcome = (*outcomes)[passed[k].place];
      if (k >= computed.size() || computed[k].index != outcome.index) {
        outcome.samples =
            EngineError(v1::FAILURE_CAUSE_BAD_RESULT,
                        absl::StrCat("tile ", outcome.index, ": the engine answered for another"));
        continue;
      }
      outcome = std::move(computed[k]);
      CheckOutcome(stage, passed[k], &outcome);
    }
  }

  static void CheckOutcome(const v1::StageSpec& stage, const Passed& passed, TileOutcome* outcome) {
    if (!outcome->samples.ok()) return;
    const Rect& contribution = passed.contribution;
    const uint64_t pixel_bytes =
        stage.output_channels() * static_cast<uint64_t>(SampleBytes(stage.output_sample()));
    const uint64_t wanted = static_cast<uint64_t>(contribution.area()) * pixel_bytes;
    if (outcome->samples->size() == wanted) {
      const Rect all{0, 0, contribution.width, contribution.height};
      outcome->cost.set_constant_result(
          !passed.constant_input &&
          IsConstant(outcome->samples->bytes(), all.width, all, pixel_bytes));
      return;
    }
    outcome->samples = EngineError(
        v1::FAILURE_CAUSE_BAD_RESULT,
        absl::StrCat("tile ", outcome->index, ": the result has ", outcome->samples->size(),
                     " bytes, its contribution ", ToString(contribution), " has ", wanted));
  }

  const std::unique_ptr<Executor> inner_;
};

}  // namespace

std::unique_ptr<Executor> CreateCheckingExecutor(std::unique_ptr<Executor> inner) {
  return std::make_unique<CheckingExecutor>(std::move(inner));
}

}  // namespace tilewright
