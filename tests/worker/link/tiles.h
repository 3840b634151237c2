// Small leases, inputs and results for tests of the worker's link. Functions only; thread-safe.

#ifndef TILEWRIGHT_TESTS_WORKER_LINK_TILES_H_
#define TILEWRIGHT_TESTS_WORKER_LINK_TILES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proto/wire/checksum.h"
#include "proto/wire/tile_frames.h"
#include "worker/link/lease_book.h"

namespace tilewright {

// Just big enough for a slot of shared memory.
inline constexpr uint32_t kTestTileWidth = 256;
inline constexpr uint32_t kTestTileHeight = 256;
inline constexpr size_t kTestTileBytes = kTestTileWidth * kTestTileHeight;
static_assert(kTestTileBytes == kSlicedBytesMin);

// One grey u8 stage of one tile size, scale 1.
inline v1::StageSpec TestStage(uint32_t batch = 1, const std::string& model_digest = "") {
  v1::StageSpec stage;
  stage.set_job("jobs/test");
  stage.set_generation(1);
  stage.set_model("models/fake/versions/1");
  stage.set_model_digest(model_digest);
  stage.set_plan_digest("0123456789abcdef");
  stage.set_tile_width(kTestTileWidth);
  stage.set_tile_height(kTestTileHeight);
  stage.set_input_channels(1);
  stage.set_input_sample(v1::SAMPLE_TYPE_U8);
  stage.set_output_channels(1);
  stage.set_output_sample(v1::SAMPLE_TYPE_U8);
  stage.set_scale_p(1);
  stage.set_scale_q(1);
  stage.set_dtype("fp32");
  stage.set_batch(batch);
  return stage;
}

inline v1::Lease TestLease(LeaseRef lease, const std::vector<uint64_t>& tiles, uint32_t batch = 1,
                           const std::string& model_digest = "") {
  v1::Lease grant;
  *grant.mutable_id() = ToProto(lease);
  *grant.mutable_stage() = TestStage(batch, model_digest);
  for (uint64_t tile : tiles) grant.add_tiles(tile);
  return grant;
}

// Samples of tile `index`, which depend on it.
inline std::vector<std::byte> TestSamples(uint64_t index) {
  std::vector<std::byte> samples(kTestTileBytes);
  for (size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<std::byte>(index * 11 + i);
  return samples;
}

inline v1::TileHeader TestInputHeader(LeaseRef lease, uint64_t index) {
  v1::TileHeader header;
  header.mutable_tile()->set_job("jobs/test");
  header.mutable_tile()->set_generation(1);
  header.mutable_tile()->set_index(index);
  *header.mutable_lease() = ToProto(lease);
  header.set_plan_digest("0123456789abcdef");
  v1::Tensor* tensor = header.add_tensors();
  tensor->set_name("image");
  tensor->set_dtype(v1::SAMPLE_TYPE_U8);
  tensor->set_channels(1);
  v1::Rect* rect = tensor->mutable_rect();
  rect->set_x(static_cast<int64_t>(index) * 10);
  rect->set_width(kTestTileWidth);
  rect->set_height(kTestTileHeight);
  *header.mutable_contribution() = *rect;
  tensor->mutable_inline_()->set_bytes(kTestTileBytes);
  header.set_payload_bytes(kTestTileBytes);
  header.set_checksum(Checksum(TestSamples(index)));
  return header;
}

inline IncomingTile TestInput(LeaseRef lease, uint64_t index) {
  return {TestInputHeader(lease, index), TestSamples(index), /*intact=*/true};
}

inline OutgoingTile TestResult(LeaseRef lease, uint64_t index, size_t bytes) {
  OutgoingTile result;
  result.header = TestInputHeader(lease, index);
  result.header.set_payload_bytes(bytes);
  result.payload = std::make_shared<const std::vector<std::byte>>(bytes);
  return result;
}

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_WORKER_LINK_TILES_H_
