// Images, tiles and sinks for the tests of merging. Not thread-safe.

#ifndef TILEWRIGHT_TESTS_COORDINATOR_MERGE_MERGE_TESTING_H_
#define TILEWRIGHT_TESTS_COORDINATOR_MERGE_MERGE_TESTING_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/merge/canvas.h"
#include "coordinator/merge/pixel_hash.h"
#include "coordinator/merge/scratch.h"
#include "coordinator/plan/stage_plan.h"

namespace tilewright {

// Pixels of a whole image in canvas layout.
struct TestImage {
  CanvasFormat format;
  std::vector<std::byte> samples;

  explicit TestImage(const CanvasFormat& f)
      : format(f), samples(static_cast<size_t>(f.size.area() * f.pixel_bytes())) {}

  std::byte* Pixel(int64_t x, int64_t y) {
    return samples.data() + (y * format.size.width + x) * format.pixel_bytes();
  }
  const std::byte* Pixel(int64_t x, int64_t y) const {
    return const_cast<TestImage*>(this)->Pixel(x, y);
  }
  std::vector<std::byte> Cut(const Rect& rect) const;
  void Paste(const Rect& rect, const std::vector<std::byte>& part);
  uint64_t Hash() const;
};

// Noise: every value of an integer type, [0, 1) of a float type.
TestImage RandomImage(const CanvasFormat& format, uint64_t seed);
void FillRandom(SampleType type, std::mt19937_64& random, std::vector<std::byte>& samples);

using Tiles = std::vector<std::vector<std::byte>>;
// Noise of its own for each tile of the plan: no two agree where they overlap.
Tiles DisagreeingTiles(const StagePlan& plan, const CanvasFormat& format, uint64_t seed = 1);

// A plan with output pixels = input pixels * scale; fails the test if it is refused.
StagePlan MakePlan(Size image, int64_t tile, int64_t overlap, int64_t scale = 1, int64_t halo = 0);

// Puts the image together again and hashes it; refuses a block that comes twice.
class ImageSink : public BlockSink {
 public:
  explicit ImageSink(const CanvasFormat& format) : image(format), hash(format) {}

  absl::Status WriteBlock(int64_t column, int64_t row,
                          absl::Span<const std::byte> samples) override;

  TestImage image;
  PixelHash hash;
  std::set<std::pair<int64_t, int64_t>> blocks;
};

// A scratch in memory that counts, runs full, or forgets.
class FakeScratch : public Scratch {
 public:
  absl::StatusOr<Slot> Put(absl::Span<const std::byte> samples) override {
    EXPECT_FALSE(samples.empty());
    if (puts == puts_max) return absl::ResourceExhaustedError("the scratch is full");
    const Slot slot{++puts, static_cast<int64_t>(samples.size())};
    kept_[slot.offset] = {samples.begin(), samples.end()};
    return slot;
  }
  absl::Status Take(const Slot& slot, absl::Span<std::byte> samples) override {
    const std::vector<std::byte>& kept = kept_.at(slot.offset);
    EXPECT_EQ(kept.size(), samples.size());
    if (!forgets) std::copy(kept.begin(), kept.end(), samples.begin());
    kept_.erase(slot.offset);
    return absl::OkStatus();
  }
  void Drop(const Slot& slot) override { EXPECT_EQ(kept_.erase(slot.offset), 1u); }

  bool empty() const { return kept_.empty(); }

  bool forgets = false;
  int64_t puts_max = -1;
  int64_t puts = 0;

 private:
  std::map<int64_t, std::vector<std::byte>> kept_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_COORDINATOR_MERGE_MERGE_TESTING_H_
