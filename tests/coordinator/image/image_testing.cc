#include "tests/coordinator/image/image_testing.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <tiffio.h>
#include <vips/vips.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <random>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace tilewright {

TempFolder::TempFolder() {
  std::string name = ::testing::TempDir() + "tilewright-image-XXXXXX";
  EXPECT_NE(mkdtemp(name.data()), nullptr);
  EXPECT_EQ(chmod(name.c_str(), 0755), 0);
  folder_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::vector<std::string> TempFolder::List() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::byte> NoiseSamples(const CanvasFormat& format, uint64_t seed) {
  std::vector<std::byte> samples(static_cast<size_t>(format.size.area() * format.pixel_bytes()));
  const auto size = static_cast<size_t>(BytesPerSample(format.sample));
  std::mt19937_64 random(seed);
  for (size_t i = 0; i < samples.size(); i += size) {
    const uint64_t value = random();
    const float unit = static_cast<float>(value >> 40) / static_cast<float>(1 << 24);
    const uint16_t half = HalfFromFloat(unit);
    const void* source = &value;
    if (format.sample == SampleType::kF32) source = &unit;
    if (format.sample == SampleType::kF16) source = &half;
    std::memcpy(&samples[i], source, size);
  }
  return samples;
}

std::vector<std::byte> SmoothSamples(const CanvasFormat& format) {
  EXPECT_EQ(format.sample, SampleType::kU8);
  std::vector<std::byte> samples;
  for (int64_t y = 0; y < format.size.height; ++y) {
    for (int64_t x = 0; x < format.size.width; ++x) {
      for (int c = 0; c < format.channels; ++c) {
        const double value = 127.5 + 100 * std::sin(0.03 * static_cast<double>(x) + c) *
                                         std::cos(0.02 * static_cast<double>(y) - c);
        samples.push_back(static_cast<std::byte>(static_cast<int>(value)));
      }
    }
  }
  return samples;
}

cv::Mat ToMat(const CanvasFormat& format, const std::vector<std::byte>& samples) {
  int depth = CV_8U;
  if (format.sample == SampleType::kU16) depth = CV_16U;
  if (format.sample == SampleType::kF32) depth = CV_32F;
  cv::Mat mat(static_cast<int>(format.size.height), static_cast<int>(format.size.width),
              CV_MAKETYPE(depth, format.channels));
  std::memcpy(mat.data, samples.data(), samples.size());
  if (format.channels == 3) cv::cvtColor(mat, mat, cv::COLOR_RGB2BGR);
  if (format.channels == 4) cv::cvtColor(mat, mat, cv::COLOR_RGBA2BGRA);
  return mat;
}

void WriteByOpenCv(const std::string& path, const CanvasFormat& format,
                   const std::vector<std::byte>& samples) {
  std::vector<int> options;
  // OpenCV's own choice for floats is a lossy encoding of XYZ colours.
  if (format.sample == SampleType::kF32) options = {cv::IMWRITE_TIFF_COMPRESSION, 1};
  ASSERT_TRUE(cv::imwrite(path, ToMat(format, samples), options)) << path;
}

void WriteByVips(const std::string& path, const CanvasFormat& format,
                 const std::vector<std::byte>& samples) {
  VipsBandFormat band = VIPS_FORMAT_UCHAR;
  if (format.sample == SampleType::kU16) band = VIPS_FORMAT_USHORT;
  if (format.sample == SampleType::kF32) band = VIPS_FORMAT_FLOAT;
  VipsImage* image = vips_image_new_from_memory_copy(
      samples.data(), samples.size(), static_cast<int>(format.size.width),
      static_cast<int>(format.size.height), format.channels, band);
  ASSERT_NE(image, nullptr);
  const bool wide = format.sample == SampleType::kU16;
  image->Type = format.channels >= 3
                    ? (wide ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB)
                    : (wide ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_B_W);
  EXPECT_EQ(vips_image_write_to_file(image, path.c_str(), nullptr), 0) << vips_error_buffer();
  g_object_unref(image);
}

std::string DataFile(const std::string& name) {
  return absl::StrCat(TILEWRIGHT_SOURCE_DIR, "/tests/data/images/", name);
}

std::string ArrayFile(const std::string& name) {
  return absl::StrCat(TILEWRIGHT_SOURCE_DIR, "/tests/data/arrays/", name);
}

std::vector<std::byte> RampSamples(const CanvasFormat& format) {
  std::vector<std::byte> samples;
  for (int64_t y = 0; y < format.size.height; ++y) {
    for (int64_t x = 0; x < format.size.width; ++x) {
      for (int c = 0; c < format.channels; ++c) {
        const auto u8 = static_cast<uint8_t>(7 * x + 13 * y + 50 * c);
        const auto u16 = static_cast<uint16_t>(u8 * 257);
        const auto f32 = static_cast<float>(u8 * (1.0 / 255));
        const void* from = &u8;
        if (format.sample == SampleType::kU16) from = &u16;
        if (format.sample == SampleType::kF32) from = &f32;
        const auto* first = static_cast<const std::byte*>(from);
        samples.insert(samples.end(), first, first + BytesPerSample(format.sample));
      }
    }
  }
  return samples;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  file.close();
  ASSERT_TRUE(file.good()) << path;
}

void WriteScript(const std::string& path, const std::string& body) {
  WriteFile(path, "#!/bin/sh\n" + body + "\n");
  ASSERT_EQ(chmod(path.c_str(), 0755), 0);
}

std::string NpyFile(const std::string& descr, const std::string& shape,
                    const std::string& samples) {
  std::string header = "{'descr': " + descr + ", 'fortran_order': False, 'shape': " + shape + ", }";
  header.resize(117, ' ');
  header += '\n';
  const char length[] = {1, 0, static_cast<char>(header.size()), 0};
  return "\x93NUMPY" + std::string(length, sizeof(length)) + header + samples;
}

std::unique_ptr<ImageReader> OpenOrFail(const std::string& path) {
  absl::StatusOr<std::unique_ptr<ImageReader>> reader = ImageReader::Open(path, {});
  EXPECT_TRUE(reader.ok()) << reader.status();
  return reader.ok() ? *std::move(reader) : nullptr;
}

std::vector<std::byte> ReadAll(ImageReader& reader) {
  const ImageInfo& info = reader.info();
  const CanvasFormat format = {info.size, info.channels, info.sample};
  std::vector<std::byte> samples(static_cast<size_t>(info.size.area() * format.pixel_bytes()));
  const absl::Status read = reader.Read({0, 0, info.size.width, info.size.height}, PadMode::kZero,
                                        absl::MakeSpan(samples));
  EXPECT_TRUE(read.ok()) << read;
  return samples;
}

absl::Status TryToRead(const std::string& path) {
  absl::StatusOr<std::unique_ptr<ImageReader>> reader = ImageReader::Open(path, {});
  if (!reader.ok()) return reader.status();
  const ImageInfo& info = (*reader)->info();
  const CanvasFormat format = {info.size, info.channels, info.sample};
  std::vector<std::byte> samples(static_cast<size_t>(info.size.area() * format.pixel_bytes()));
  return (*reader)->Read({0, 0, info.size.width, info.size.height}, PadMode::kZero,
                         absl::MakeSpan(samples));
}

TiffImage ReadByLibtiff(const std::string& path, int directory) {
  TiffImage image;
  TIFF* tiff = TIFFOpen(path.c_str(), "r");
  if (tiff == nullptr || TIFFSetDirectory(tiff, static_cast<tdir_t>(directory)) != 1) {
    ADD_FAILURE() << "libtiff finds no directory " << directory << " in " << path;
    if (tiff != nullptr) TIFFClose(tiff);
    return image;
  }
  uint32_t width = 0, height = 0, side = 0, subfile = 0;
  uint16_t channels = 0, bits = 0, kind = 0, compression = 0;
  EXPECT_EQ(TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width), 1);
  EXPECT_EQ(TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height), 1);
  EXPECT_EQ(TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &side), 1);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &channels);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &bits);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &kind);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &compression);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SUBFILETYPE, &subfile);
  if (compression == COMPRESSION_JPEG && channels == 3) {
    TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  }
  CanvasFormat& format = image.format;
  format = {{width, height}, channels, SampleType::kU8};
  if (bits == 16) format.sample = kind == SAMPLEFORMAT_UINT ? SampleType::kU16 : SampleType::kF16;
  if (bits == 32) format.sample = SampleType::kF32;
  image.tile_side = side;
  image.reduced = (subfile & FILETYPE_REDUCEDIMAGE) != 0;
  const int64_t pixel = format.pixel_bytes();
  image.samples.resize(static_cast<size_t>(format.size.area() * pixel));
  std::vector<std::byte> tile(static_cast<size_t>(TIFFTileSize(tiff)));
  EXPECT_EQ(static_cast<int64_t>(tile.size()), image.tile_side * image.tile_side * pixel);
  for (int64_t y = 0; y < format.size.height; y += side) {
    for (int64_t x = 0; x < format.size.width; x += side) {
      EXPECT_GT(
          TIFFReadTile(tiff, tile.data(), static_cast<uint32_t>(x), static_cast<uint32_t>(y), 0, 0),
          0);
      const int64_t columns = std::min<int64_t>(side, format.size.width - x);
      for (int64_t row = 0; row < std::min<int64_t>(side, format.size.height - y); ++row) {
        std::memcpy(image.samples.data() + ((y + row) * format.size.width + x) * pixel,
                    tile.data() + row * side * pixel, static_cast<size_t>(columns * pixel));
      }
    }
  }
  TIFFClose(tiff);
  return image;
}

absl::Status WriteBlocks(OutputFile& output, const CanvasFormat& format,
                         const std::vector<std::byte>& samples, uint64_t seed) {
  std::vector<int64_t> order(static_cast<size_t>(format.block_columns() * format.block_rows()));
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random(seed);
  std::shuffle(order.begin(), order.end(), random);
  for (int64_t index : order) {
    const int64_t column = index % format.block_columns();
    const int64_t row = index / format.block_columns();
    const Rect rect = format.BlockRect(column, row);
    std::vector<std::byte> block;
    for (int64_t y = rect.y; y < rect.bottom(); ++y) {
      const auto* first = samples.data() + (y * format.size.width + rect.x) * format.pixel_bytes();
      block.insert(block.end(), first, first + rect.width * format.pixel_bytes());
    }
    if (absl::Status written = output.WriteBlock(column, row, block); !written.ok()) {
      return written;
    }
  }
  return absl::OkStatus();
}

std::vector<std::byte> SrgbProfile() {
  VipsBlob* blob = nullptr;
  EXPECT_EQ(vips_profile_load("srgb", &blob, nullptr), 0) << vips_error_buffer();
  size_t bytes = 0;
  const auto* first = static_cast<const std::byte*>(vips_blob_get(blob, &bytes));
  std::vector<std::byte> profile(first, first + bytes);
  vips_area_unref(VIPS_AREA(blob));
  return profile;
}

std::string ThisProgram() { return std::filesystem::read_symlink("/proc/self/exe"); }

}  // namespace tilewright
