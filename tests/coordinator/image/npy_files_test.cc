// Arrays that NumPy itself made (tests/data/arrays): each gives the samples that were put into it,
// or is refused with what to save instead.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "coordinator/image/image_reader.h"
#include "tests/coordinator/image/image_testing.h"

namespace tilewright {
namespace {

using ::testing::EndsWith;

constexpr Size kRampSize = {40, 24};

void ExpectRamp(const std::string& name, int channels, SampleType sample) {
  SCOPED_TRACE(name);
  const auto reader = OpenOrFail(ArrayFile(name));
  ASSERT_NE(reader, nullptr);
  const ImageInfo& info = reader->info();
  EXPECT_EQ(info.size, kRampSize);
  EXPECT_EQ(info.channels, channels);
  EXPECT_EQ(info.sample, sample);
  EXPECT_EQ(info.array, channels != 1 && channels != 3);
  EXPECT_TRUE(ReadAll(*reader) == RampSamples({kRampSize, channels, sample}));
  EXPECT_FALSE(ReadAll(*reader) == RampSamples({{24, 40}, channels, sample})) << "the control";
}

TEST(NpyFiles, GiveTheSamplesThatNumPyPutIntoThem) {
  const std::pair<const char*, SampleType> kTypes[] = {
      {"u1", SampleType::kU8}, {"u2", SampleType::kU16}, {"f4", SampleType::kF32}};
  for (const auto& [type, sample] : kTypes) {
    for (const int channels : {1, 3, 4, 5}) {
      ExpectRamp(absl::StrCat(type, "_", channels, ".npy"), channels, sample);
    }
  }
  ExpectRamp("u1_3_version2.npy", 3, SampleType::kU8);
  ExpectRamp("f4_3_version3.npy", 3, SampleType::kF32);
}

TEST(NpyFiles, OfAnotherMakeAreRefusedWithWhatToSave) {
  const std::string types = "'; '|u1', '<u2' and '<f4' can be read";
  const std::string shapes = "(height, width) and (height, width, channels) can be read: ";
  const std::pair<const char*, std::string> kRefused[] = {
      {"refused_f2.npy", "type '<f2" + types + ": save a.astype(numpy.float32)"},
      {"refused_f8.npy", "type '<f8" + types + ": save a.astype(numpy.float32)"},
      {"refused_i2.npy", "type '<i2" + types + ": save a.astype(numpy.float32)"},
      {"refused_f4_big_endian.npy", "type '>f4" + types + ": save a.astype(numpy.float32)"},
      {"refused_u2_big_endian.npy", "type '>u2" + types + ": save a.astype(numpy.uint16)"},
      {"refused_b1.npy", "type '|b1" + types + ": save a.astype(numpy.uint8) * 255"},
      {"refused_c8.npy", "type '<c8" + types},
      {"refused_text.npy", "type '<U4" + types},
      {"refused_objects.npy", "type '|O" + types},
      {"refused_fields.npy", "its samples are records of several fields: save one field of it"},
      {"refused_fortran_order.npy",
       "its samples are in Fortran order; C order can be read: save numpy.ascontiguousarray(a)"},
      {"refused_scalar.npy", "its shape is (); " + shapes + "save a.reshape(height, width)"},
      {"refused_row.npy", "its shape is (6); " + shapes + "save a.reshape(height, width)"},
      {"refused_empty.npy", "its shape (0, 6, 3) holds no sample"},
      {"refused_channels_first.npy",
       "its shape (3, 2, 65) has the channels first; " + shapes + "save numpy.moveaxis(a, 0, -1)"},
      {"refused_batch.npy",
       "its shape (1, 4, 6, 3) has 4 axes; " + shapes + "save one image of it, a[0]"},
  };
  for (const auto& [name, reason] : kRefused) {
    SCOPED_TRACE(name);
    const absl::Status status = TryToRead(ArrayFile(name));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), EndsWith(reason));
  }
  EXPECT_FALSE(TryToRead(ArrayFile("refused_archive.npz")).ok());
}

// Nothing in a file of shape (3, 24, 40) says that its channels come first.
TEST(NpyFiles, HaveTheirChannelsLastWhateverTheirNumbers) {
  const auto reader = OpenOrFail(ArrayFile("taken_channels_first.npy"));
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(reader->info().size, (Size{24, 3}));
  EXPECT_EQ(reader->info().channels, 40);
}

}  // namespace
}  // namespace tilewright
