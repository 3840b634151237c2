#include "coordinator/merge/pixel_hash.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <string>

namespace tilewright {
namespace {

absl::Span<const std::byte> Bytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

TEST(PixelHash, IsTheHashOfTheLittleEndianBlockHashesInRowOrder) {
  const CanvasFormat format = {{513, 514}, 1, SampleType::kU8};
  const std::string blocks[] = {std::string(512 * 512, 'a'), std::string(512, 'b'),
                                std::string(512 * 2, 'c'), std::string(2, 'd')};
  std::string hashes;
  for (const std::string& block : blocks) {
    const uint64_t hash = XXH3_64bits(block.data(), block.size());
    for (int i = 0; i < 8; ++i) hashes.push_back(static_cast<char>(hash >> (8 * i)));
  }
  const uint64_t expected = XXH3_64bits(hashes.data(), hashes.size());

  PixelHash in_order(format);
  for (int i = 0; i < 4; ++i) in_order.AddBlock(i % 2, i / 2, Bytes(blocks[i]));
  EXPECT_EQ(in_order.Finish(), expected);

  PixelHash backwards(format);
  for (int i = 3; i >= 0; --i) backwards.AddBlock(i % 2, i / 2, Bytes(blocks[i]));
  EXPECT_EQ(backwards.Finish(), expected);
}

TEST(PixelHash, IsTheSameNumberOnEveryMachineAndInEveryRelease) {
  // Computed once with libxxhash 0.8.1; results of old jobs are compared by it.
  const CanvasFormat format = {{4, 1}, 1, SampleType::kU8};
  PixelHash hash(format);
  hash.AddBlock(0, 0, Bytes("tile"));
  EXPECT_EQ(hash.Finish(), 0x4AA7A46356685F03u);
}

TEST(PixelHash, SeesOnePixelAndTheSwapOfTwoBlocks) {
  const CanvasFormat format = {{1024, 512}, 1, SampleType::kU8};
  const std::string a(512 * 512, 'a');
  const std::string b(512 * 512, 'b');
  std::string almost_a = a;
  almost_a[77] = 'b';
  const auto hash = [&](const std::string& left, const std::string& right) {
    PixelHash h(format);
    h.AddBlock(0, 0, Bytes(left));
    h.AddBlock(1, 0, Bytes(right));
    return h.Finish();
  };
  EXPECT_NE(hash(a, b), hash(b, a));
  EXPECT_NE(hash(a, b), hash(almost_a, b));
}

}  // namespace
}  // namespace tilewright
