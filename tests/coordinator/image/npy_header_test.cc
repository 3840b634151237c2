// Headers of NumPy array files: what NumPy writes is read, and what is written is what NumPy
// writes; everything else is refused with a sentence.

#include "coordinator/image/npy_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

// Around a dictionary, of a version.
std::string Header(const std::string& text, int version = 1) {
  std::string header =
      absl::StrCat("\x93NUMPY", std::string(1, static_cast<char>(version)), std::string(1, '\0'));
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) {
    header += static_cast<char>(text.size() >> (8 * i));
  }
  return header + text;
}
std::string Of(const std::string& descr, const std::string& shape,
               const std::string& fortran_order = "False") {
  return Header(absl::StrCat("{'descr': ", descr, ", 'fortran_order': ", fortran_order,
                             ", 'shape': ", shape, ", }  \n"));
}

TEST(NpyHeader, IsReadInEveryVersionAndSpelling) {
  const std::string plain = "{'descr': '<f4', 'fortran_order': False, 'shape': (24, 36, 4), }\n";
  for (const int version : {1, 2, 3}) {
    const auto header = ParseNpyHeader(Header(plain, version) + "samples");
    ASSERT_TRUE(header.ok()) << header.status();
    EXPECT_EQ(header->size, (Size{36, 24}));
    EXPECT_EQ(header->channels, 4);
    EXPECT_EQ(header->sample, SampleType::kF32);
    EXPECT_EQ(header->bytes, static_cast<int64_t>(plain.size()) + (version == 1 ? 10 : 12));
  }
  for (const char* text :
       {"{\"shape\":(24,36,4),\"descr\":\"<f4\",\"fortran_order\":False}",
        "  { 'fortran_order' : False , 'shape' : ( 24 , 36 , 4 , ) , 'descr' : '<f4' }   \n"}) {
    const auto header = ParseNpyHeader(Header(text));
    ASSERT_TRUE(header.ok()) << header.status();
    EXPECT_EQ(header->size, (Size{36, 24}));
  }
}

TEST(NpyHeader, TellsWhatTheSamplesAre) {
  const auto grey = ParseNpyHeader(Of("'|u1'", "(7, 9)"));
  ASSERT_TRUE(grey.ok()) << grey.status();
  EXPECT_EQ(grey->sample, SampleType::kU8);
  EXPECT_EQ(grey->channels, 1);
  const auto array = ParseNpyHeader(Of("'<u2'", "(7, 9, 64)"));
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_EQ(array->sample, SampleType::kU16);
  EXPECT_EQ(array->channels, 64);
}

TEST(NpyHeader, OfAnotherArraySaysWhatToSave) {
  const struct {
    std::string header;
    const char* reason;
  } kCases[] = {
      {Of("'<f8'", "(7, 9)"),
       "type '<f8'; '|u1', '<u2' and '<f4' can be read: save "
       "a.astype(numpy.float32)"},
      {Of("'<f2'", "(7, 9)"), "save a.astype(numpy.float32)"},
      {Of("'>f4'", "(7, 9)"), "save a.astype(numpy.float32)"},
      {Of("'>u2'", "(7, 9)"), "save a.astype(numpy.uint16)"},
      {Of("'|b1'", "(7, 9)"), "save a.astype(numpy.uint8) * 255"},
      {Of("[('x', '<f4')]", "(7, 9)"), "records of several fields: save one field"},
      {Of("'<f4'", "(7, 9)", "True"),
       "Fortran order; C order can be read: save "
       "numpy.ascontiguousarray(a)"},
      {Of("'<f4'", "()"), "its shape is ()"},
      {Of("'<f4'", "(63,)"),
       "its shape is (63); (height, width) and (height, width, channels) can "
       "be read: save a.reshape(height, width)"},
      {Of("'<f4'", "(4, 128, 96)"), "shape (4, 128, 96) has the channels first"},
      {Of("'<f4'", "(64, 2, 65)"), "save numpy.moveaxis(a, 0, -1)"},
      {Of("'<f4'", "(65, 128, 96)"), "has 96 channels; "},
      {Of("'<f4'", "(1, 128, 128, 4)"),
       "has 4 axes; (height, width) and (height, width, channels) "
       "can be read: save one image of it, a[0]"},
      {Of("'<f4'", "(1, 4, 128, 128)"), "save one image of it, numpy.moveaxis(a[0], 0, -1)"},
      {Of("'<f4'", "(1, 4, 64, 64)"), "save one image of it, numpy.moveaxis(a[0], 0, -1)"},
      {Of("'<f4'", "(1, 1, 128, 128, 3)"), "save one image of it, a[0, 0]"},
      {Of("'<f4'", "(0, 9)"), "shape (0, 9) holds no sample"},
      {Of("'<f4'", "(9, 9, 0)"), "shape (9, 9, 0) holds no sample"},
  };
  for (const auto& test : kCases) {
    const absl::Status status = ParseNpyHeader(test.header).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << test.header;
    EXPECT_THAT(std::string(status.message()), HasSubstr(test.reason));
  }
}

TEST(NpyHeader, ThatIsDamagedIsRefused) {
  const std::string good = Of("'<f4'", "(7, 9)");
  ASSERT_TRUE(ParseNpyHeader(good).ok());
  // All that is cut off, and every byte that becomes another.
  for (size_t bytes = 0; bytes < good.size(); ++bytes) {
    EXPECT_FALSE(ParseNpyHeader(good.substr(0, bytes)).ok()) << bytes;
  }
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = '\\';
    EXPECT_FALSE(ParseNpyHeader(bad).ok()) << at;
  }
  for (const char* text : {
           "",
           "{}",
           "{'descr': '<f4', 'fortran_order': False}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (7, 9)",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (7, 9)}}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (7, 9)} # more",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (7, 9), 'more': 1}",
           "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (7, 9)}",
           "{'descr': '<f4' 'fortran_order': False, 'shape': (7, 9)}",
           "{,'descr': '<f4', 'fortran_order': False, 'shape': (7, 9)}",
           "{'descr': '<f4', 'fortran_order': 0, 'shape': (7, 9)}",
           "{'descr': <f4, 'fortran_order': False, 'shape': (7, 9)}",
           "{'descr': '<f4\", 'fortran_order': False, 'shape': (7, 9)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': [7, 9]}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (7 9)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (7,, 9)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (-7, 9)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (7.0, 9)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (7L, 9L)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (63)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775808, 9)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': "
           "(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)}",
       }) {
    const absl::Status status = ParseNpyHeader(Header(text)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("its .npy header is damaged")) << text;
  }
  std::string later = good;
  later[6] = 4;
  EXPECT_THAT(std::string(ParseNpyHeader(later).status().message()),
              HasSubstr("a .npy file of version 4.0"));
  const std::string spaces(static_cast<size_t>(kNpyHeaderBytesMax), ' ');
  EXPECT_THAT(std::string(ParseNpyHeader(Header(spaces, 2)).status().message()),
              HasSubstr("its .npy header claims 65548 bytes; the limit is 65536"));
}

TEST(NpyHeader, IsWrittenAsNumPyWritesIt) {
  // By numpy.save of zeros((3, 4), float32).
  EXPECT_EQ(WriteNpyHeader({4, 3}, 1, SampleType::kF32),
            absl::StrCat("\x93NUMPY", std::string("\x01\0v\0", 4),
                         "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }",
                         std::string(58, ' '), "\n"));
  for (const SampleType sample : {SampleType::kU8, SampleType::kU16, SampleType::kF32}) {
    for (const int channels : {1, 3, 64}) {
      const std::string written = WriteNpyHeader({1'000'000, 2}, channels, sample);
      EXPECT_EQ(written.size() % 64, 0u);
      const auto header = ParseNpyHeader(written);
      ASSERT_TRUE(header.ok()) << header.status();
      EXPECT_EQ(header->size, (Size{1'000'000, 2}));
      EXPECT_EQ(header->channels, channels);
      EXPECT_EQ(header->sample, sample);
      EXPECT_EQ(header->bytes, static_cast<int64_t>(written.size()));
      EXPECT_EQ(NpyFileBytes({1'000'000, 2}, channels, sample),
                header->bytes + 2'000'000 * header->pixel_bytes());
    }
  }
}

}  // namespace
}  // namespace tilewright
