// Models that take more than the image, through real processes: every pixel is what the network's
// formula gives by integers, whatever the tiles.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/networks.h"
#include "tests/cluster/picture.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

constexpr int kWidth = 240;  // five tiles of 48 have no slack
constexpr int kHeight = 170;

int SampleOf(const Picture& picture, size_t i) {
  if (picture.bits == 8) return static_cast<int>(picture.samples[i]);
  uint16_t value;
  std::memcpy(&value, &picture.samples[2 * i], 2);
  return value;
}

void SetSample(Picture& picture, size_t i, int64_t value) {
  const auto sample = static_cast<uint16_t>(value);
  const size_t bytes = picture.bits == 8 ? 1 : 2;
  std::memcpy(&picture.samples[bytes * i], &sample, bytes);
}

size_t IndexOf(int x, int y, int channel) {
  return static_cast<size_t>((y * kWidth + x) * 3 + channel);
}

// round(numerator / denominator), halves up; there are none where this is used.
int64_t Rounded(int64_t numerator, int64_t denominator) {
  return (2 * numerator + denominator) / (2 * denominator);
}

// What fill-masked makes of it, and what the job then keeps of the source: the mask is 0, a fifth
// of the greatest value, or all of it.
Picture Filled(const Picture& source, const Picture& mask) {
  Picture filled = source;
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      const int64_t m = SampleOf(mask, static_cast<size_t>(y * kWidth + x));
      const int64_t fifths = m / 51;
      for (int c = 0; c < 3; ++c) {
        int64_t sum = 0;
        for (int v = y - 2; v <= y + 2; ++v) {
          for (int u = x - 2; u <= x + 2; ++u) {
            if (u < 0 || v < 0 || u >= kWidth || v >= kHeight) continue;
            sum += SampleOf(source, IndexOf(u, v, c));
          }
        }
        const int64_t old = SampleOf(source, IndexOf(x, y, c));
        const int64_t made = Rounded(old * (5 - fifths) * 25 + sum * fifths, 125);
        SetSample(filled, IndexOf(x, y, c), (old * (255 - m) + made * m + 127) / 255);
      }
    }
  }
  return filled;
}

// The largest difference of two samples.
int Worst(const Picture& a, const Picture& b) {
  EXPECT_EQ(a.samples.size(), b.samples.size());
  if (a.samples.size() != b.samples.size()) return 65535;
  int worst = 0;
  for (size_t i = 0; i < static_cast<size_t>(kWidth * kHeight * 3); ++i) {
    worst = std::max(worst, std::abs(SampleOf(a, i) - SampleOf(b, i)));
  }
  return worst;
}

// 0.6 image + 0.4 previous.
Picture Mixed(const Picture& image, const Picture& previous) {
  Picture mixed = image;
  for (size_t i = 0; i < static_cast<size_t>(kWidth * kHeight * 3); ++i) {
    SetSample(mixed, i, Rounded(3 * SampleOf(image, i) + 2 * SampleOf(previous, i), 5));
  }
  return mixed;
}

class FurtherInputsTest : public NetworksTest {
 protected:
  FurtherInputsTest() : NetworksTest({"a", "b"}) {}

  Picture Write(const std::string& name, const Picture& picture) {
    EXPECT_TRUE(WritePicture(picture, cluster_->Path(name)).ok());
    return picture;
  }

  CliResult Cli(const std::string& input, const std::string& output, const std::string& model,
                const std::vector<std::string>& flags) {
    std::vector<std::string> arguments = {
        "render", "-i",  cluster_->Path(input), "-o",  cluster_->Path(output),
        "-n",     model, "--progress",          "none"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return cluster_->Cli(arguments, absl::Minutes(3));
  }

  Picture Render(const std::string& input, const std::string& output, const std::string& model,
                 const std::vector<std::string>& flags) {
    const CliResult result = Cli(input, output, model, flags);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return Read(output);
  }

  Picture Read(const std::string& name) {
    const absl::StatusOr<Picture> picture = ReadPicture(cluster_->Path(name));
    EXPECT_TRUE(picture.ok()) << picture.status();
    return picture.value_or(Picture());
  }
};

TEST_F(FurtherInputsTest, AMaskIsWhatTheNetworkFills) {
  for (const int bits : {8, 16}) {
    const std::string suffix = absl::StrCat(bits, ".png");
    const Picture source =
        Write("in" + suffix, NoisePicture(kWidth, kHeight, 3, bits, static_cast<uint64_t>(bits)));
    Picture mask = NoisePicture(kWidth, kHeight, 1, 8, 9);
    for (int y = 0; y < kHeight; ++y) {
      for (int x = 0; x < kWidth; ++x) {
        // Nothing on the right, all in a block, and a fifth or nothing elsewhere.
        std::byte& sample = mask.samples[static_cast<size_t>(y * kWidth + x)];
        const bool some = x < 150 && sample < std::byte{99};
        sample = x >= 60 && x < 110 && y >= 40 && y < 90 ? std::byte{255}
                 : some                                  ? std::byte{51}
                                                         : std::byte{0};
      }
    }
    Write("mask" + suffix, mask);
    const std::string mask_path = cluster_->Path("mask" + suffix);
    const Picture want = Filled(source, mask);
    const int rounding = bits == 8 ? 0 : 1;  // floats do not tell all sums of 16 bits apart
    const Picture whole = Render("in" + suffix, absl::StrCat("whole", bits, ".tif"), "fill-masked",
                                 {"--mask", mask_path, "-t", "512"});
    EXPECT_LE(Worst(whole, want), rounding);
    const Picture tiled = Render("in" + suffix, absl::StrCat("tiled", bits, ".tif"), "fill-masked",
                                 {"--mask", mask_path, "-t", "48"});
    EXPECT_LE(Worst(tiled, want), rounding);
    const Picture seams = Render("in" + suffix, absl::StrCat("seams", bits, ".tif"), "fill-masked",
                                 {"--mask", mask_path, "-t", "48", "--halo", "0"});
    EXPECT_GT(Worst(seams, want), 2) << "the control: without a halo there are seams";
  }
  const CliResult refused = Cli("in8.png", "no.tif", "fill-masked", {});
  EXPECT_THAT(refused.err, HasSubstr("takes a mask beside the image: give one (--mask)"));
}

TEST_F(FurtherInputsTest, APreviousFrameIsMixedIntoTheImage) {
  const Picture image = Write("image.png", NoisePicture(kWidth, kHeight, 3, 8, 1));
  const Picture before = Write("before.png", NoisePicture(kWidth, kHeight, 3, 16, 2));
  Picture narrow = image;  // what 16 bits are in 8
  for (size_t i = 0; i < narrow.samples.size(); ++i) {
    SetSample(narrow, i, Rounded(SampleOf(before, i), 257));
  }
  const std::vector<std::string> flags = {"--previous", cluster_->Path("before.png"), "-t", "64"};
  const Picture got = Render("image.png", "mixed.tif", "mix-previous", flags);
  EXPECT_EQ(Difference(got, Mixed(image, narrow)), "equal");
  EXPECT_NE(Difference(got, Mixed(narrow, image)), "equal") << "the control: exchanged inputs";

  Picture black = image;
  black.samples.assign(black.samples.size(), std::byte{0});
  const CliResult first = Cli("image.png", "first.tif", "mix-previous", {"-t", "64"});
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_THAT(first.err, HasSubstr("there is no previous frame: the model gets zeros for it"));
  EXPECT_EQ(Difference(Read("first.tif"), Mixed(image, black)), "equal");
}

TEST_F(FurtherInputsTest, ASequenceFeedsEachFrameToTheNext) {
  std::vector<Picture> frames;
  for (int i = 1; i <= 3; ++i) {
    frames.push_back(Write(absl::StrCat("frame_", i, ".png"),
                           NoisePicture(kWidth, kHeight, 3, 8, static_cast<uint64_t>(20 + i))));
  }
  const auto sequence = [this](const std::string& name, const std::vector<std::string>& flags) {
    std::vector<std::string> arguments = {"sequence",
                                          "-i",
                                          cluster_->Path("frame_%d.png"),
                                          "-o",
                                          cluster_->Path(name + "_%d.tif"),
                                          "-n",
                                          "mix-previous",
                                          "-t",
                                          "64",
                                          "--progress",
                                          "none"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const CliResult result = cluster_->Cli(arguments, absl::Minutes(5));
    EXPECT_EQ(result.exit_code, 0) << result.err;
  };
  sequence("fed", {"--feed-back"});
  sequence("alone", {});
  Picture black = frames[0];
  black.samples.assign(black.samples.size(), std::byte{0});
  Picture before = black;
  for (size_t i = 0; i < frames.size(); ++i) {
    before = Mixed(frames[i], before);
    EXPECT_EQ(Difference(Read(absl::StrCat("fed_", i + 1, ".tif")), before), "equal") << i + 1;
    EXPECT_EQ(Difference(Read(absl::StrCat("alone_", i + 1, ".tif")), Mixed(frames[i], black)),
              "equal")
        << "the control: frames that know nothing of each other";
  }
  // By hand, frame after frame.
  const Picture second = Render("frame_2.png", "hand_2.tif", "mix-previous",
                                {"--previous", cluster_->Path("fed_1.tif"), "-t", "64"});
  EXPECT_EQ(Difference(Read("fed_2.tif"), second), "equal");
  EXPECT_NE(Difference(Read("alone_2.tif"), second), "equal");
}

}  // namespace
}  // namespace tilewright
