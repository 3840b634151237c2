// How fast tiles become blocks, as a ratio to memcpy of the same bytes in the same run: 512×512×3
// u8 tiles, overlap 128, halo 0, one thread. Prints one JSON object.

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <limits>
#include <vector>

#include "coordinator/merge/tile_merger.h"
#include "coordinator/plan/stage_plan.h"
#include "proto/blend/cell.h"

namespace tilewright {
namespace {

using Bytes = std::vector<std::byte>;

// Takes blocks and drops them; reads one sample so that the work cannot be left out.
class NullSink : public BlockSink {
 public:
  absl::Status WriteBlock(int64_t, int64_t, absl::Span<const std::byte> samples) override {
    seen_ += static_cast<uint64_t>(samples[samples.size() / 2]);
    return absl::OkStatus();
  }
  uint64_t seen() const { return seen_; }

 private:
  uint64_t seen_ = 0;
};

double Seconds(std::chrono::steady_clock::time_point from) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

int Run() {
  ModelGeometry model;
  PlanRequest request;
  request.image = {512 + 384 * 9, 512 + 384 * 5};
  request.tile = 512;
  request.overlap = 128;
  request.halo = 0;
  const absl::StatusOr<StagePlan> plan = StagePlan::Create(model, request);
  if (!plan.ok()) {
    std::fprintf(stderr, "merge_bench: %s\n", std::string(plan.status().message()).c_str());
    return 1;
  }
  const CanvasFormat format{plan->output(), 3, SampleType::kU8};

  // Distinct tiles that were written before the clock starts, as they are when the network delivers
  // them.
  std::vector<Bytes> tiles(static_cast<size_t>(plan->tile_count()));
  int64_t total_bytes = 0;
  for (size_t i = 0; i < tiles.size(); ++i) {
    const Rect part = plan->Contribution({static_cast<int64_t>(i)});
    tiles[i].resize(static_cast<size_t>(part.area() * format.pixel_bytes()));
    for (size_t b = 0; b < tiles[i].size(); ++b)
      tiles[i][b] = static_cast<std::byte>((b * 7 + i * 31) & 0xff);
    total_bytes += static_cast<int64_t>(tiles[i].size());
  }
  Bytes destination(static_cast<size_t>(total_bytes));

  std::vector<double> copy_seconds, merge_seconds;
  uint64_t seen = 0;
  for (int round = 0; round < 9; ++round) {
    auto start = std::chrono::steady_clock::now();
    std::byte* to = destination.data();
    for (const Bytes& tile : tiles) {
      std::memcpy(to, tile.data(), tile.size());
      to += tile.size();
    }
    copy_seconds.push_back(Seconds(start));
    seen += static_cast<uint64_t>(destination[static_cast<size_t>(round)]);

    std::vector<Bytes> round_tiles = tiles;
    NullSink sink;
    TileMerger merger(*plan, format, MergeKind::kBlend, sink);
    start = std::chrono::steady_clock::now();
    for (size_t i = 0; i < round_tiles.size(); ++i) {
      const absl::Status status =
          merger.AddTile({static_cast<int64_t>(i)}, std::move(round_tiles[i]));
      if (!status.ok()) {
        std::fprintf(stderr, "merge_bench: %s\n", std::string(status.message()).c_str());
        return 1;
      }
    }
    merge_seconds.push_back(Seconds(start));
    if (!merger.done()) return 1;
    seen += sink.seen();
  }
  const double copy = static_cast<double>(total_bytes) / Median(copy_seconds);
  const double merge = static_cast<double>(total_bytes) / Median(merge_seconds);
  std::printf(
      "{\"bench\": \"merge\", \"instruction_set\": \"%s\", \"tiles\": %zu, "
      "\"merge_bytes_per_second\": %.0f, "
      "\"memcpy_bytes_per_second\": %.0f, \"output_mpx_per_second\": %.1f, \"ratio\": %.3f, "
      "\"goal\": 0.8, \"seen\": %llu}\n",
      InstructionSetName(SupportedInstructionSets().back()), tiles.size(), merge, copy,
      static_cast<double>(format.size.area()) / 1e6 / Median(merge_seconds), merge / copy,
      static_cast<unsigned long long>(seen));
  return 0;
}

}  // namespace
}  // namespace tilewright

int main() {
  // As the coordinator sets it: freed tiles are reused, not given back page by page.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  return tilewright::Run();
}
