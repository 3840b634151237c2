#include "coordinator/image/tiff_canvas.h"

#include <sys/stat.h>
#include <tiffio.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/image/file_error.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

constexpr double kMmPerInch = 25.4;
constexpr double kMmPerCm = 10.0;

uint16_t CompressionTag(Compression compression) {
  switch (compression) {
    case Compression::kDeflate:
      return COMPRESSION_ADOBE_DEFLATE;
    case Compression::kZstd:
      return COMPRESSION_ZSTD;
    case Compression::kLzw:
      return COMPRESSION_LZW;
    case Compression::kNone:
      break;
  }
  return COMPRESSION_NONE;
}

bool WritesDotsPerInch(double pixels_per_mm) {
  const double dots = pixels_per_mm * kMmPerInch;
  return std::abs(dots - std::round(dots)) < 1e-6 * dots;
}

}  // namespace

// The file under libtiff, with the first error of the system or of libtiff.
struct TiffCanvas::Handle {
  int fd = -1;
  std::string path;
  toff_t position = 0;
  int error_number = 0;
  std::string complaint;
  TIFF* tiff = nullptr;

  ~Handle() {
    if (tiff != nullptr) TIFFClose(tiff);
  }

  absl::Status Error(absl::string_view doing) const {
    if (error_number != 0) return FileError(doing, path, error_number);
    return absl::InternalError(absl::StrCat(
        doing, " ", path, ": libtiff says: ", complaint.empty() ? "no reason given" : complaint));
  }

  static Handle* Of(thandle_t handle) { return static_cast<Handle*>(handle); }

  static tmsize_t Read(thandle_t handle, void* data, tmsize_t size) {
    Handle* const self = Of(handle);
    tmsize_t done = 0;
    while (done < size) {
      const ssize_t n = pread(self->fd, static_cast<char*>(data) + done,
                              static_cast<size_t>(size - done), static_cast<off_t>(self->position));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      done += n;
      self->position += static_cast<toff_t>(n);
    }
    return done;
  }

  static tmsize_t Write(thandle_t handle, void* data, tmsize_t size) {
    Handle* const self = Of(handle);
    tmsize_t done = 0;
    while (done < size) {
      const ssize_t n =
          pwrite(self->fd, static_cast<char*>(data) + done, static_cast<size_t>(size - done),
                 static_cast<off_t>(self->position));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        if (self->error_number == 0) self->error_number = errno;
        return -1;
      }
      done += n;
      self->position += static_cast<toff_t>(n);
    }
    return done;
  }

  static toff_t Seek(thandle_t handle, toff_t offset, int whence) {
    Handle* const self = Of(handle);
    if (whence == SEEK_END) {
      offset += FileSize(handle);
    } else if (whence == SEEK_CUR) {
      offset += self->position;
    }
    self->position = offset;
    return offset;
  }

  static toff_t FileSize(thandle_t handle) {
    struct stat file;
    return fstat(Of(handle)->fd, &file) == 0 ? static_cast<toff_t>(file.st_size) : 0;
  }

  static int Close(thandle_t /*handle*/) { return 0; }
  static int Map(thandle_t /*handle*/, void** /*base*/, toff_t* /*size*/) { return 0; }
  static void Unmap(thandle_t /*handle*/, void* /*base*/, toff_t /*size*/) {}

  // Handled here: libvips catches everything that reaches libtiff's own handlers.
  static int Complain(TIFF* /*tiff*/, void* self, const char* /*module*/, const char* format,
                      va_list arguments) {
    char text[256];
    std::vsnprintf(text, sizeof(text), format, arguments);
    std::string& complaint = static_cast<Handle*>(self)->complaint;
    if (complaint.empty()) complaint = text;
    return 1;
  }
  static int Ignore(TIFF* /*tiff*/, void* /*self*/, const char* /*module*/, const char* /*format*/,
                    va_list /*arguments*/) {
    return 1;
  }
};

TiffCanvas::TiffCanvas(std::unique_ptr<Handle> handle, const CanvasFormat& format,
                       Compression compression)
    : handle_(std::move(handle)),
      format_(format),
      compression_(compression),
      codec_(format, compression) {}

TiffCanvas::~TiffCanvas() = default;

absl::StatusOr<std::unique_ptr<TiffCanvas>> TiffCanvas::Create(int fd, const std::string& path,
                                                               const CanvasFormat& format,
                                                               const ImageMetadata& metadata,
                                                               Compression compression) {
  auto handle = std::make_unique<Handle>();
  handle->fd = fd;
  handle->path = path;
  TIFFOpenOptions* const options = TIFFOpenOptionsAlloc();
  TIFFOpenOptionsSetErrorHandlerExtR(options, &Handle::Complain, handle.get());
  TIFFOpenOptionsSetWarningHandlerExtR(options, &Handle::Ignore, handle.get());
  // Little-endian, BigTIFF.
  handle->tiff = TIFFClientOpenExt(path.c_str(), "w8l", handle.get(), &Handle::Read, &Handle::Write,
                                   &Handle::Seek, &Handle::Close, &Handle::FileSize, &Handle::Map,
                                   &Handle::Unmap, options);
  TIFFOpenOptionsFree(options);
  TIFF* const tiff = handle->tiff;
  if (tiff == nullptr) return handle->Error("creating");

  const bool colour = format.channels >= 3;
  const bool alpha = format.channels == 2 || format.channels == 4;
  const bool floating = format.sample == SampleType::kF16 || format.sample == SampleType::kF32;
  const uint16_t alpha_kind = EXTRASAMPLE_UNASSALPHA;
  bool good = true;
  const auto set = [&](uint32_t tag, auto... values) {
    good = good && TIFFSetField(tiff, tag, values...) == 1;
  };
  set(TIFFTAG_IMAGEWIDTH, static_cast<uint32_t>(format.size.width));
  set(TIFFTAG_IMAGELENGTH, static_cast<uint32_t>(format.size.height));
  set(TIFFTAG_TILEWIDTH, static_cast<uint32_t>(kBlockSide));
  set(TIFFTAG_TILELENGTH, static_cast<uint32_t>(kBlockSide));
  set(TIFFTAG_SAMPLESPERPIXEL, format.channels);
  set(TIFFTAG_BITSPERSAMPLE, 8 * BytesPerSample(format.sample));
  set(TIFFTAG_SAMPLEFORMAT, floating ? SAMPLEFORMAT_IEEEFP : SAMPLEFORMAT_UINT);
  set(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
  set(TIFFTAG_PHOTOMETRIC, colour ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK);
  if (alpha) set(TIFFTAG_EXTRASAMPLES, 1, &alpha_kind);
  set(TIFFTAG_COMPRESSION, static_cast<int>(CompressionTag(compression)));
  if (UsesPredictor(compression, format.sample)) {
    set(TIFFTAG_PREDICTOR, PREDICTOR_HORIZONTAL);
  }
  set(TIFFTAG_ORIENTATION, metadata.orientation);
  if (metadata.x_pixels_per_mm > 0 && metadata.y_pixels_per_mm > 0) {
    const bool inch =
        WritesDotsPerInch(metadata.x_pixels_per_mm) && WritesDotsPerInch(metadata.y_pixels_per_mm);
    const double mm = inch ? kMmPerInch : kMmPerCm;
    set(TIFFTAG_RESOLUTIONUNIT, inch ? RESUNIT_INCH : RESUNIT_CENTIMETER);
    set(TIFFTAG_XRESOLUTION, metadata.x_pixels_per_mm * mm);
    set(TIFFTAG_YRESOLUTION, metadata.y_pixels_per_mm * mm);
  }
  if (!metadata.icc_profile.empty()) {
    set(TIFFTAG_ICCPROFILE, static_cast<uint32_t>(metadata.icc_profile.size()),
        static_cast<const void*>(metadata.icc_profile.data()));
  }
  set(TIFFTAG_SOFTWARE, "Tilewright");
  if (!good) return handle->Error("describing the image in");
  return std::unique_ptr<TiffCanvas>(new TiffCanvas(std::move(handle), format, compression));
}

absl::Status TiffCanvas::WriteBlock(int64_t column, int64_t row,
                                    absl::Span<const std::byte> samples) {
  const Size block = format_.BlockRect(column, row).size();
  const auto index = static_cast<uint32_t>(row * format_.block_columns() + column);
  if (compression_ == Compression::kLzw) {
    const absl::Span<std::byte> tile = codec_.FullTile(block, samples);
    if (TIFFWriteEncodedTile(handle_->tiff, index, tile.data(),
                             static_cast<tmsize_t>(tile.size())) < 0) {
      return handle_->Error("writing");
    }
    return absl::OkStatus();
  }
  TW_ASSIGN_OR_RETURN(const absl::Span<const std::byte> tile, codec_.Encode(block, samples));
  // libtiff only reads what it is given here, as its signature does not say.
  if (TIFFWriteRawTile(handle_->tiff, index, const_cast<std::byte*>(tile.data()),
                       static_cast<tmsize_t>(tile.size())) < 0) {
    return handle_->Error("writing");
  }
  return absl::OkStatus();
}

absl::Status TiffCanvas::Finish() {
  if (TIFFWriteDirectory(handle_->tiff) != 1) return handle_->Error("writing the directory of");
  TIFFClose(std::exchange(handle_->tiff, nullptr));
  if (handle_->error_number != 0 || !handle_->complaint.empty()) return handle_->Error("closing");
  return absl::OkStatus();
}

}  // namespace tilewright
