#include "proto/wire/tile_frames.h"

#include <gmock/gmock.h>
#include <google/protobuf/stubs/logging.h>
#include <grpcpp/support/slice.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "proto/wire/checksum.h"
#include "tilewright/v1/worker_service.pb.h"

namespace tilewright {
namespace {

using testing::HasSubstr;

using Bytes = std::vector<std::byte>;

Bytes Noise(std::mt19937& rng, size_t size) {
  Bytes bytes(size);
  for (std::byte& b : bytes) b = static_cast<std::byte>(rng());
  return bytes;
}

OutgoingTile Tile(uint64_t index, Bytes payload) {
  OutgoingTile tile;
  tile.header.mutable_tile()->set_job("jobs/test");
  tile.header.mutable_tile()->set_generation(1);
  tile.header.mutable_tile()->set_index(index);
  tile.header.mutable_lease()->set_epoch(3);
  tile.header.set_worker("w");
  tile.header.set_payload_bytes(payload.size());
  tile.header.set_checksum(Checksum(payload));
  tile.payload = std::make_shared<const Bytes>(std::move(payload));
  return tile;
}

std::string Flatten(const grpc::ByteBuffer& message) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(message.Dump(&slices).ok());
  std::string flat;
  for (const grpc::Slice& s : slices)
    flat.append(reinterpret_cast<const char*>(s.begin()), s.size());
  return flat;
}

// The same bytes cut into slices of 1 … `piece_max` bytes.
grpc::ByteBuffer Slices(const std::string& flat, std::mt19937& rng, size_t piece_max) {
  std::vector<grpc::Slice> slices;
  for (size_t at = 0; at < flat.size();) {
    const size_t size = std::min(flat.size() - at, 1 + rng() % piece_max);
    slices.emplace_back(flat.data() + at, size);
    at += size;
  }
  return grpc::ByteBuffer(slices.data(), slices.size());
}

std::string AsString(absl::Span<const std::byte> bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

absl::Status ReadFlat(const std::string& flat, std::vector<IncomingTile>* tiles,
                      TileFrameLimits limits = {}) {
  TileFrameReader reader(FrameEnvelope::kTileFrames, limits);
  std::mt19937 rng(1);
  return reader.Read(Slices(flat, rng, 1000), tiles);
}

std::vector<size_t> SizesOfRound(std::mt19937& rng) {
  const std::vector<size_t> edges = {0,       1,       4095,    4096,         4097,
                                     65536,   262144,  262145,  2 << 20,      (2 << 20) + 1,
                                     5 << 20, 1 << 20, 3000000, (4 << 20) - 1};
  std::vector<size_t> sizes;
  for (int i = 0; i < 12; ++i) {
    sizes.push_back(rng() % 3 == 0 ? edges[rng() % edges.size()] : rng() % 20000);
  }
  return sizes;
}

TEST(TileFrames, WhatTheWriterSendsIsWhatGeneratedCodeWouldSend) {
  for (uint32_t seed = 0; seed < 12; ++seed) {
    std::mt19937 rng(seed);
    TileFrameWriter writer(seed % 2 == 0 ? FrameEnvelope::kTileFrames
                                         : FrameEnvelope::kSubmitTilesRequest);
    std::vector<OutgoingTile> sent;
    for (size_t size : SizesOfRound(rng)) {
      sent.push_back(Tile(sent.size(), Noise(rng, size)));
      writer.Push(sent.back());
    }
    std::string reassembled;
    size_t begun = 0;
    std::vector<std::string> payloads;
    while (!writer.empty()) {
      const std::string flat = Flatten(writer.Next());
      v1::TileFrames frames;
      std::string again;
      if (seed % 2 == 0) {
        ASSERT_TRUE(frames.ParseFromString(flat));
        again = frames.SerializeAsString();
      } else {
        v1::SubmitTilesRequest request;
        ASSERT_TRUE(request.ParseFromString(flat));
        again = request.SerializeAsString();
        *frames.mutable_frames() = request.frames();
      }
      ASSERT_TRUE(again == flat) << "seed " << seed << ": generated code encodes differently";
      int64_t message_payload = 0;
      for (const v1::TileFrame& frame : frames.frames()) {
        EXPECT_LE(frame.payload().size(), static_cast<size_t>(kFrameBytesMax));
        message_payload += static_cast<int64_t>(frame.payload().size());
        if (frame.has_header()) {
          EXPECT_EQ(frame.header().tile().index(), begun++);
          payloads.emplace_back();
        }
        payloads.back() += frame.payload();
      }
      EXPECT_LE(message_payload, kFrameBytesMax);
      EXPECT_LE(frames.frames_size(), kBundleTilesMax);
    }
    ASSERT_EQ(begun, sent.size());
    for (size_t i = 0; i < sent.size(); ++i) {
      EXPECT_TRUE(payloads[i] == AsString(*sent[i].payload)) << "seed " << seed << " tile " << i;
    }
    EXPECT_EQ(writer.pending_bytes(), 0);
  }
}

TEST(TileFrames, TheReaderTakesWhatGeneratedCodeSendsHoweverItIsSliced) {
  for (uint32_t seed = 0; seed < 12; ++seed) {
    std::mt19937 rng(seed + 100);
    TileFrameReader reader(FrameEnvelope::kSubmitTilesRequest, {});
    v1::SubmitTilesRequest first;
    first.set_worker("name");
    first.set_incarnation("abc");
    std::vector<IncomingTile> tiles;
    ASSERT_TRUE(reader.Read(Slices(first.SerializeAsString(), rng, 3), &tiles).ok());
    EXPECT_EQ(reader.worker(), "name");
    EXPECT_EQ(reader.incarnation(), "abc");

    std::vector<Bytes> sent;
    for (size_t size : SizesOfRound(rng)) {
      sent.push_back(Noise(rng, size));
      const OutgoingTile tile = Tile(sent.size() - 1, sent.back());
      // Pieces of any size, each in a message of its own or with what came before.
      v1::SubmitTilesRequest request;
      size_t at = 0;
      do {
        v1::TileFrame* frame = request.add_frames();
        if (at == 0) *frame->mutable_header() = tile.header;
        const size_t piece = std::min(size - at, size / 3 + 1 + rng() % 100000);
        frame->set_payload(sent.back().data() + at, piece);
        at += piece;
        if (rng() % 2 == 0) {
          ASSERT_TRUE(reader.Read(Slices(request.SerializeAsString(), rng, 70000), &tiles).ok());
          request.Clear();
        }
      } while (at < size);
      ASSERT_TRUE(reader.Read(Slices(request.SerializeAsString(), rng, 70000), &tiles).ok());
    }
    EXPECT_FALSE(reader.in_tile());
    ASSERT_EQ(tiles.size(), sent.size()) << "seed " << seed;
    for (size_t i = 0; i < sent.size(); ++i) {
      EXPECT_EQ(tiles[i].header.tile().index(), i);
      EXPECT_TRUE(tiles[i].intact) << "seed " << seed << " tile " << i;
      EXPECT_TRUE(tiles[i].payload == sent[i]) << "seed " << seed << " tile " << i;
    }
  }
}

TEST(TileFrames, AWrongChecksumIsSeenInSmallAndBigTiles) {
  std::mt19937 rng(5);
  for (size_t size : {size_t{1}, size_t{100}, size_t{300000}}) {
    OutgoingTile tile = Tile(0, Noise(rng, size));
    Bytes other = *tile.payload;
    other[size / 2] ^= std::byte{1};
    tile.payload = std::make_shared<const Bytes>(other);
    TileFrameWriter writer(FrameEnvelope::kTileFrames);
    writer.Push(tile);
    std::vector<IncomingTile> tiles;
    TileFrameReader reader(FrameEnvelope::kTileFrames, {});
    ASSERT_TRUE(reader.Read(writer.Next(), &tiles).ok());
    ASSERT_EQ(tiles.size(), 1u);
    EXPECT_FALSE(tiles[0].intact) << size << " bytes";
  }
}

TEST(TileFrames, ManyTinyTilesShareAMessage) {
  TileFrameWriter writer(FrameEnvelope::kTileFrames);
  for (uint64_t i = 0; i < 1000; ++i) writer.Push(Tile(i, {}));
  int messages = 0;
  std::vector<IncomingTile> tiles;
  TileFrameReader reader(FrameEnvelope::kTileFrames, {});
  while (!writer.empty()) {
    ASSERT_TRUE(reader.Read(writer.Next(), &tiles).ok());
    ++messages;
  }
  EXPECT_EQ(tiles.size(), 1000u);
  EXPECT_EQ(messages, 4) << "256 tiles in a message";
}

TEST(TileFrames, ABigPayloadIsReferencedAndReleasedWithTheMessage) {
  std::mt19937 rng(5);
  OutgoingTile tile = Tile(0, Noise(rng, 3 << 20));
  const std::weak_ptr<const Bytes> watch = tile.payload;
  const std::byte* data = tile.payload->data();
  TileFrameWriter writer(FrameEnvelope::kTileFrames);
  writer.Push(std::move(tile));
  tile.payload.reset();
  grpc::ByteBuffer first = writer.Next();
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(first.Dump(&slices).ok());
  EXPECT_TRUE(std::any_of(slices.begin(), slices.end(), [&](const grpc::Slice& s) {
    return s.begin() == reinterpret_cast<const uint8_t*>(data);
  })) << "the payload was copied";
  slices.clear();
  { const grpc::ByteBuffer second = writer.Next(); }
  EXPECT_TRUE(writer.empty());
  EXPECT_FALSE(watch.expired()) << "the first message still needs it";
  first.Clear();
  EXPECT_TRUE(watch.expired()) << "nothing needs it any more";
}

TEST(TileFrames, RefusesMalformedMessages) {
  std::mt19937 rng(9);
  const OutgoingTile tile = Tile(0, Noise(rng, 100));
  v1::TileFrames good;
  *good.add_frames()->mutable_header() = tile.header;
  good.mutable_frames(0)->set_payload(AsString(*tile.payload));
  std::vector<IncomingTile> tiles;
  ASSERT_TRUE(ReadFlat(good.SerializeAsString(), &tiles).ok()) << "the control must pass";
  ASSERT_EQ(tiles.size(), 1u);

  const auto expect_refused = [](const std::string& flat, const char* text) {
    std::vector<IncomingTile> none;
    const absl::Status status = ReadFlat(flat, &none);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
    EXPECT_TRUE(none.empty());
  };
  v1::TileFrames orphan = good;
  orphan.mutable_frames(0)->clear_header();
  expect_refused(orphan.SerializeAsString(), "without a header");
  v1::TileFrames nested;
  *nested.add_frames()->mutable_header() = tile.header;
  *nested.add_frames()->mutable_header() = tile.header;
  expect_refused(nested.SerializeAsString(), "inside another");
  v1::TileFrames longer = good;
  longer.mutable_frames(0)->mutable_payload()->push_back('x');
  expect_refused(longer.SerializeAsString(), "more than the 100 bytes announced");
  v1::TileFrames hollow;
  hollow.add_frames();
  expect_refused(hollow.SerializeAsString(), "empty frame");
  expect_refused(std::string("\x0a\x02\x7a\x00", 4), "without a header");  // explicit empty payload
  const std::string frame = good.frames(0).SerializeAsString();
  const size_t header_field = frame.size() - 102;  // tag, length and 100 bytes of payload follow
  const std::string swapped = frame.substr(header_field) + frame.substr(0, header_field);
  expect_refused(std::string("\x0a") + static_cast<char>(swapped.size() | 0x80) + '\x01' + swapped,
                 "without a header");
  expect_refused("\x0a\x05\x0a\x7f", "longer than what encloses it");
  expect_refused("\x0b", "wire type");
}

TEST(TileFrames, EveryTruncationAndRandomDamageIsRefusedOrHarmless) {
  std::mt19937 rng(77);
  v1::TileFrames good;
  for (int i = 0; i < 3; ++i) {
    const OutgoingTile tile = Tile(static_cast<uint64_t>(i), Noise(rng, 60));
    *good.add_frames()->mutable_header() = tile.header;
    good.mutable_frames(i)->set_payload(AsString(*tile.payload));
  }
  const std::string flat = good.SerializeAsString();
  int refused = 0;
  for (size_t cut = 1; cut < flat.size(); ++cut) {
    std::vector<IncomingTile> tiles;
    if (!ReadFlat(flat.substr(0, cut), &tiles).ok()) ++refused;
    EXPECT_LT(tiles.size(), 3u);
  }
  EXPECT_GE(refused, static_cast<int>(flat.size()) - 3) << "only whole frames may pass";
  const google::protobuf::LogSilencer quiet;  // it logs each string that is not UTF-8
  for (int i = 0; i < 20000; ++i) {
    std::string damaged = flat;
    for (int j = 0; j < 3; ++j) damaged[rng() % damaged.size()] = static_cast<char>(rng());
    std::vector<IncomingTile> tiles;
    const absl::Status status = ReadFlat(damaged, &tiles);
    if (!status.ok()) {
      // A payload's tag that became a slice's is one without a segment.
      EXPECT_TRUE(absl::IsInvalidArgument(status) || absl::IsResourceExhausted(status) ||
                  absl::IsFailedPrecondition(status))
          << status;
    }
  }
}

TEST(TileFrames, LimitsAreNamed) {
  std::mt19937 rng(9);
  const OutgoingTile tile = Tile(7, Noise(rng, 100));
  TileFrameWriter writer(FrameEnvelope::kTileFrames);
  writer.Push(tile);
  std::vector<IncomingTile> tiles;
  TileFrameLimits limits;
  limits.payload_bytes_max = 99;
  const absl::Status too_big = ReadFlat(Flatten(writer.Next()), &tiles, limits);
  EXPECT_EQ(too_big.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(too_big.message(), "tile 7 of jobs/test announces 100 bytes; the limit is 99");

  limits = {};
  limits.message_tiles_max = 2;
  for (uint64_t i = 0; i < 3; ++i) writer.Push(Tile(i, {}));
  const absl::Status too_many = ReadFlat(Flatten(writer.Next()), &tiles, limits);
  EXPECT_EQ(too_many.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(too_many.message(), "more than 2 tiles in one message");

  TileFrameReader reader(FrameEnvelope::kSubmitTilesRequest, {});
  v1::SubmitTilesRequest first;
  first.set_worker(std::string(1025, 'x'));
  EXPECT_EQ(reader.Read(Slices(first.SerializeAsString(), rng, 100), &tiles).code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(TileFrames, UnknownFieldsOfALaterProtocolAreSkipped) {
  std::mt19937 rng(9);
  const OutgoingTile tile = Tile(7, Noise(rng, 10));
  v1::TileFrames message;
  *message.add_frames()->mutable_header() = tile.header;
  message.mutable_frames(0)->set_payload(AsString(*tile.payload));
  std::string flat = message.SerializeAsString();
  flat += std::string("\xa2\x06\x03\x61\x62\x63", 6);  // field 100, bytes "abc"
  flat += std::string("\xa0\x06\x05", 3);              // field 100, number 5
  std::vector<IncomingTile> tiles;
  EXPECT_TRUE(ReadFlat(flat, &tiles).ok());
  ASSERT_EQ(tiles.size(), 1u);
  EXPECT_TRUE(tiles[0].intact);
}

}  // namespace
}  // namespace tilewright
