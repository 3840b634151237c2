// Two stages fused over an IntermediateImage give the pixels of one after the other on the whole
// image, whatever the plans, the order of work and the memory; and what lies between them is
// bounded by rows, not by the image.

#include "coordinator/image/intermediate_image.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "coordinator/merge/needed_tiles.h"
#include "coordinator/merge/padding.h"
#include "coordinator/merge/tile_merger.h"
#include "gtest/gtest.h"
#include "tests/coordinator/merge/merge_testing.h"

namespace tilewright {
namespace {

constexpr int64_t kNoBound = std::numeric_limits<int64_t>::max();

struct StageOf {
  std::shared_ptr<const StagePlan> plan;
  CanvasFormat in, out;
};

uint32_t Value(const std::byte* at, SampleType type) {
  uint16_t wide = 0;
  if (type == SampleType::kU8) return static_cast<uint32_t>(*at);
  std::memcpy(&wide, at, sizeof(wide));
  return wide;
}

// A model that looks one pixel to each side: what the plan's tile contributes. Its result depends
// on every sample under it, and on where a pixel lies in its block of the scale.
std::vector<std::byte> Compute(const StageOf& stage, TileIndex tile,
                               const std::vector<std::byte>& input) {
  const Rect rect = stage.plan->InputRect(tile);
  const Rect out = stage.plan->Contribution(tile);
  const Scale& scale = stage.plan->model().scale;
  const SampleType type = stage.in.sample;
  const int bytes = BytesPerSample(type);
  std::vector<std::byte> result(static_cast<size_t>(out.area() * stage.out.pixel_bytes()));
  std::byte* to = result.data();
  for (int64_t y = out.y; y < out.bottom(); ++y) {
    for (int64_t x = out.x; x < out.right(); ++x) {
      for (int c = 0; c < stage.in.channels; ++c, to += bytes) {
        uint32_t sum = static_cast<uint32_t>(x % scale.p() * 3 + y % scale.p());
        for (int64_t dy = -1; dy <= 1; ++dy) {
          for (int64_t dx = -1; dx <= 1; ++dx) {
            const int64_t sx = std::clamp(x * scale.q() / scale.p() + dx, rect.x, rect.right() - 1);
            const int64_t sy =
                std::clamp(y * scale.q() / scale.p() + dy, rect.y, rect.bottom() - 1);
            const int64_t at = ((sy - rect.y) * rect.width + sx - rect.x) * stage.in.channels + c;
            sum = sum * 5 + Value(input.data() + at * bytes, type);
          }
        }
        const auto wide = static_cast<uint16_t>(sum >> 7);
        std::memcpy(to, &wide, static_cast<size_t>(bytes));
      }
    }
  }
  return result;
}

std::vector<std::byte> ReadWhole(const TestImage& image, const StageOf& stage, TileIndex tile) {
  const Rect rect = stage.plan->InputRect(tile);
  std::vector<std::byte> samples(static_cast<size_t>(rect.area() * stage.in.pixel_bytes()));
  const absl::Status read =
      ReadPadded(rect, image.format.size, stage.plan->model().pad_mode, stage.in.pixel_bytes(),
                 absl::MakeSpan(samples), [&image](const Rect& part, absl::Span<std::byte> to) {
                   const std::vector<std::byte> cut = image.Cut(part);
                   std::copy(cut.begin(), cut.end(), to.begin());
                   return absl::OkStatus();
                 });
  EXPECT_TRUE(read.ok()) << read;
  return samples;
}

// The stage on the whole image; `holes` are left out.
TestImage RunWhole(const StageOf& stage, const TestImage& input, const std::set<int64_t>& holes) {
  ImageSink sink(stage.out);
  TileMerger merger(*stage.plan, stage.out, MergeKind::kBlend, sink);
  for (int64_t tile = 0; tile < stage.plan->tile_count(); ++tile) {
    const absl::Status merged =
        holes.contains(tile)
            ? merger.AddHole({tile})
            : merger.AddTile({tile}, Compute(stage, {tile}, ReadWhole(input, stage, {tile})));
    EXPECT_TRUE(merged.ok()) << merged;
  }
  EXPECT_TRUE(merger.done());
  return std::move(sink.image);
}

// What a run of both stages at once is like.
struct Course {
  // Which of the ready tiles is begun next, and which of those under way is merged next: 0 is the
  // lowest of the later stage.
  std::function<size_t(size_t)> begin = [](size_t) { return 0; };
  std::function<size_t(size_t)> end = [](size_t) { return 0; };
  size_t under_way = 4;
  size_t ready_max = std::numeric_limits<size_t>::max();  // as JobSpec::ready_max
  int64_t bytes_max = kNoBound;
  std::set<int64_t> holes;          // of the first stage
  int64_t straggler = -1;           // a tile of the second stage that is merged last of all
  std::set<int64_t> unwanted = {};  // tiles of the second stage
};

struct Fused {
  TestImage image;
  std::set<int64_t> left_out;  // of the second stage
  int64_t skipped = 0;         // tiles of the first stage
  int64_t peak = 0;            // bytes between the stages
  int64_t spilled = 0;         // the most at a time
};

Fused RunFused(const StageOf& first, const StageOf& second, const TestImage& input,
               const Course& course) {
  using Work = std::pair<int, int64_t>;  // minus the stage, so that the later comes first; tile
  IntermediateImage between(first.plan, MergeKind::kBlend, first.out, second.plan,
                            testing::TempDir());
  ImageSink sink(second.out);
  std::vector<int64_t> tiles;
  for (int64_t tile = 0; tile < second.plan->tile_count(); ++tile) {
    if (!course.unwanted.contains(tile)) tiles.push_back(tile);
  }
  const WantedTiles wanted(*second.plan, std::move(tiles));
  const WantedTiles needed = NeededTiles(*first.plan, MergeKind::kBlend, *second.plan, wanted);
  TileMerger one(*first.plan, first.out, MergeKind::kBlend, between, nullptr, &needed);
  TileMerger two(*second.plan, second.out, MergeKind::kBlend, sink);
  for (const int64_t tile : course.unwanted) {
    between.Drop({tile});
    EXPECT_TRUE(two.AddHole({tile}).ok());
  }
  EXPECT_TRUE(between.LimitHeld(course.bytes_max).ok());
  std::set<Work> ready;
  std::vector<std::pair<Work, std::vector<std::byte>>> under_way;
  Fused fused{TestImage(second.out), {}, needed.skipped(), 0, 0};
  for (int64_t number = 0; number < needed.count(); ++number) {
    ready.insert({0, needed.at(number).value});
  }
  const auto take_complete = [&] {
    const StageChain::Complete complete = between.TakeComplete();
    for (const int64_t tile : complete.tiles) {
      EXPECT_FALSE(course.unwanted.contains(tile));
      ready.insert({-1, tile});
    }
    for (const int64_t tile : complete.left_out) {
      EXPECT_FALSE(course.unwanted.contains(tile));
      fused.left_out.insert(tile);
      between.Drop({tile});
      EXPECT_TRUE(two.AddHole({tile}).ok());
    }
  };
  while (!two.done()) {
    std::vector<Work> may_begin(ready.begin(), ready.end());
    const auto later = static_cast<size_t>(
        std::count_if(may_begin.begin(), may_begin.end(), [](const Work& w) { return w.first; }));
    if (later >= course.ready_max) may_begin.resize(later);
    if (!may_begin.empty() && under_way.size() < course.under_way) {
      const Work work = may_begin[course.begin(may_begin.size())];
      ready.erase(work);
      const StageOf& stage = work.first == 0 ? first : second;
      std::vector<std::byte> samples;
      if (work.first == 0) {
        samples = ReadWhole(input, stage, {work.second});
      } else {
        samples.resize(
            static_cast<size_t>(stage.plan->compute_shape().area() * stage.in.pixel_bytes()));
        EXPECT_TRUE(between.Read({work.second}, absl::MakeSpan(samples)).ok());
      }
      under_way.push_back({work, Compute(stage, {work.second}, samples)});
      continue;
    }
    if (under_way.empty()) {
      ADD_FAILURE() << "nothing is ready, nothing under way, and the picture is not done";
      break;
    }
    size_t pick = course.end(under_way.size());
    const auto straggles = [&](size_t i) {
      return under_way[i].first == Work{-1, course.straggler} && under_way.size() > 1;
    };
    if (straggles(pick)) pick = (pick + 1) % under_way.size();
    auto [work, samples] = std::move(under_way[pick]);
    under_way.erase(under_way.begin() + static_cast<int64_t>(pick));
    const TileIndex tile{work.second};
    if (work.first == 0) {
      const bool hole = course.holes.contains(tile.value);
      if (hole) between.AddHole(tile);
      const absl::Status merged = hole ? one.AddHole(tile) : one.AddTile(tile, std::move(samples));
      EXPECT_TRUE(merged.ok()) << merged;
      take_complete();
    } else {
      // Another attempt finds the input until the tile was merged, and not any more after that.
      std::vector<std::byte> again(
          static_cast<size_t>(second.plan->compute_shape().area() * second.in.pixel_bytes()));
      EXPECT_TRUE(between.Read(tile, absl::MakeSpan(again)).ok());
      EXPECT_EQ(Compute(second, tile, again), samples);
      between.Drop(tile);
      EXPECT_TRUE(absl::IsCancelled(between.Read(tile, absl::MakeSpan(again))));
      EXPECT_TRUE(two.AddTile(tile, std::move(samples)).ok());
    }
    EXPECT_LE(between.bytes_held(), course.bytes_max);
    fused.spilled = std::max(fused.spilled, between.bytes_spilled());
  }
  fused.peak = between.bytes_peak();
  EXPECT_EQ(between.bytes_held() + between.bytes_spilled(), 0) << "something nobody reads is kept";
  fused.image = std::move(sink.image);
  return fused;
}

StageOf MakeStage(const ModelGeometry& model, const PlanRequest& request, SampleType type,
                  int channels) {
  absl::StatusOr<StagePlan> plan = StagePlan::Create(model, request);
  EXPECT_TRUE(plan.ok()) << plan.status();
  StageOf stage;
  stage.plan = std::make_shared<const StagePlan>(*std::move(plan));
  stage.in.size = request.image;
  stage.out.size = stage.plan->output();
  stage.in.sample = stage.out.sample = type;
  stage.in.channels = stage.out.channels = channels;
  return stage;
}

ModelGeometry Model(int64_t p, int64_t q, PadMode pad = PadMode::kReflect, int64_t alignment = 0) {
  ModelGeometry model;
  model.scale = *Scale::Create(p, q);
  model.alignment = model.minimum = std::max(q, alignment);
  model.pad_mode = pad;
  return model;
}

TEST(FusedStages, GiveThePixelsOfOneStageAfterTheOther) {
  std::mt19937_64 random(5);
  const auto draw = [&random](int64_t least, int64_t most) {
    return least + static_cast<int64_t>(random() % static_cast<uint64_t>(most - least + 1));
  };
  int64_t left_out = 0, spilled = 0, skipped = 0;
  for (int round = 0; round < 30; ++round) {
    const std::pair<int64_t, int64_t> scales[] = {{2, 1}, {1, 1}, {1, 2}, {3, 2}};
    const auto [p, q] = scales[draw(0, 3)];
    const auto [p2, q2] = scales[draw(0, 2)];
    const SampleType type = draw(0, 1) == 0 ? SampleType::kU8 : SampleType::kU16;
    PlanRequest one, two;
    one.image = {draw(300, 700), draw(300, 700)};
    one.tile = draw(90, 200);
    one.halo = 2 * draw(1, 4);
    one.overlap = 4 * draw(0, 4);
    const StageOf first = MakeStage(Model(p, q), one, type, 1);
    two.image = first.plan->output();
    two.tile = draw(170, 320);
    two.halo = 2 * draw(1, 4);
    two.overlap = 4 * draw(0, 4);
    const StageOf second =
        MakeStage(Model(p2, q2, static_cast<PadMode>(draw(0, 2)), 2 * draw(0, 16)), two, type, 1);
    SCOPED_TRACE(absl::StrCat("round ", round, ": ", first.plan->Canonical(), " then ",
                              second.plan->Canonical()));
    const TestImage input = RandomImage(first.in, random());
    Course course;
    course.begin =
        course.end = [&random](size_t count) { return static_cast<size_t>(random() % count); };
    course.under_way = static_cast<size_t>(draw(1, 12));
    course.ready_max = static_cast<size_t>(draw(1, 30));
    const int64_t block = kBlockSide * kBlockSide * first.out.pixel_bytes();
    course.bytes_max = draw(0, 2) == 0 ? kNoBound : draw(0, 3) * block;
    if (draw(0, 3) == 0) course.holes.insert(draw(0, first.plan->tile_count() - 1));
    if (draw(0, 2) == 0) {
      const int64_t one_in = draw(1, 6);
      for (int64_t tile = 0; tile < second.plan->tile_count(); ++tile) {
        if (draw(1, one_in) > 1) course.unwanted.insert(tile);
      }
    }
    const Fused fused = RunFused(first, second, input, course);
    if (HasFailure()) return;
    const TestImage between = RunWhole(first, input, course.holes);
    std::set<int64_t> holes = fused.left_out;
    holes.insert(course.unwanted.begin(), course.unwanted.end());
    const TestImage whole = RunWhole(second, between, holes);
    ASSERT_EQ(fused.image.Hash(), whole.Hash());
    if (course.unwanted.empty()) {
      ASSERT_EQ(fused.left_out.empty(), course.holes.empty());
    }
    skipped += fused.skipped;
    left_out += static_cast<int64_t>(fused.left_out.size());
    spilled += fused.spilled;
  }
  EXPECT_GT(left_out, 0);
  EXPECT_GT(spilled, 0);
  EXPECT_GT(skipped, 0);
}

TEST(FusedStages, HoldRowsBetweenThemHoweverTallThePicture) {
  const auto run = [](int64_t height, int64_t straggler, int64_t bytes_max) {
    PlanRequest request;
    request.image = {1000, height};
    request.tile = 160;
    request.halo = 4;
    request.overlap = 8;
    const StageOf first = MakeStage(Model(1, 1), request, SampleType::kU8, 1);
    const StageOf second = MakeStage(Model(1, 1), request, SampleType::kU8, 1);
    Course course;
    course.ready_max = 20;
    course.straggler = straggler;
    course.bytes_max = bytes_max;
    return RunFused(first, second, RandomImage(first.in, 1), course);
  };
  const int64_t row = 1000 * kBlockSide;
  for (const int64_t straggler : {-1, 9}) {
    for (const int64_t bytes_max : {kNoBound, int64_t{0}}) {
      const Fused low = run(1600, straggler, bytes_max);
      const Fused tall = run(4800, straggler, bytes_max);
      EXPECT_LE(tall.peak, 4 * row) << "more than a few rows of blocks";
      EXPECT_LE(tall.peak, low.peak + row) << "it grows with the picture";
      if (bytes_max == 0) {
        EXPECT_GT(tall.spilled, 0);
      }
    }
  }
}

// The negative control: without the count of blocks a tile would be read too early.
TEST(IntermediateImage, RefusesATileOneBlockTooEarly) {
  PlanRequest request;
  request.image = {1100, 600};
  request.tile = 600;
  request.halo = 4;
  const StageOf stage = MakeStage(Model(1, 1), request, SampleType::kU8, 1);
  IntermediateImage between(stage.plan, MergeKind::kBlend, stage.out, stage.plan,
                            testing::TempDir());
  const TestImage image = RandomImage(stage.out, 3);
  std::vector<std::byte> samples(static_cast<size_t>(stage.plan->compute_shape().area()));
  std::set<int64_t> released;
  for (const auto& [column, row] : {std::pair{0, 0}, {0, 1}, {1, 0}}) {
    ASSERT_TRUE(between.WriteBlock(column, row, image.Cut(stage.out.BlockRect(column, row))).ok());
    EXPECT_TRUE(between.TakeComplete().tiles.empty()) << "it reads block 1,1 too";
    EXPECT_TRUE(absl::IsInternal(between.Read({0}, absl::MakeSpan(samples))));
  }
  ASSERT_TRUE(between.WriteBlock(1, 1, image.Cut(stage.out.BlockRect(1, 1))).ok());
  EXPECT_EQ(between.TakeComplete().tiles, std::vector<int64_t>{0});
  EXPECT_TRUE(between.Read({0}, absl::MakeSpan(samples)).ok());
  EXPECT_EQ(samples, image.Cut(stage.plan->InputRect({0})));
}

}  // namespace
}  // namespace tilewright
