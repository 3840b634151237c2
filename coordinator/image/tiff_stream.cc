#include "coordinator/image/tiff_stream.h"

#include <cstdarg>
#include <cstdio>
#include <utility>

namespace tilewright {
namespace {

// From here on colour is worth its bytes.
constexpr int kFullColourQuality = 90;

uint16_t CompressionTag(Compression compression) {
  switch (compression) {
    case Compression::kDeflate:
      return COMPRESSION_ADOBE_DEFLATE;
    case Compression::kZstd:
      return COMPRESSION_ZSTD;
    case Compression::kLzw:
      return COMPRESSION_LZW;
    case Compression::kJpeg:
      return COMPRESSION_JPEG;
    case Compression::kNone:
      break;
  }
  return COMPRESSION_NONE;
}

}  // namespace

struct TiffStream::Callbacks {
  static TiffStream* Of(thandle_t handle) { return static_cast<TiffStream*>(handle); }

  static tmsize_t Read(thandle_t handle, void* data, tmsize_t size) {
    TiffStream* const self = Of(handle);
    const int64_t done = self->ReadAt(data, size, self->position_);
    self->position_ += done;
    return done;
  }
  static tmsize_t Write(thandle_t handle, void* data, tmsize_t size) {
    TiffStream* const self = Of(handle);
    if (!self->WriteAt(data, size, self->position_)) return -1;
    self->position_ += size;
    return size;
  }
  static toff_t Seek(thandle_t handle, toff_t offset, int whence) {
    TiffStream* const self = Of(handle);
    if (whence == SEEK_END) {
      offset += static_cast<toff_t>(self->End());
    } else if (whence == SEEK_CUR) {
      offset += static_cast<toff_t>(self->position_);
    }
    self->position_ = static_cast<int64_t>(offset);
    return offset;
  }
  static toff_t FileSize(thandle_t handle) { return static_cast<toff_t>(Of(handle)->End()); }
  static int Close(thandle_t /*handle*/) { return 0; }
  static int Map(thandle_t /*handle*/, void** /*base*/, toff_t* /*size*/) { return 0; }
  static void Unmap(thandle_t /*handle*/, void* /*base*/, toff_t /*size*/) {}

  // Handled here: libvips catches everything that reaches libtiff's own handlers.
  static int Complain(TIFF* /*tiff*/, void* self, const char* /*module*/, const char* format,
                      va_list arguments) {
    char text[256];
    std::vsnprintf(text, sizeof(text), format, arguments);
    std::string& complaint = static_cast<TiffStream*>(self)->complaint_;
    if (complaint.empty()) complaint = text;
    return 1;
  }
  static int Ignore(TIFF* /*tiff*/, void* /*self*/, const char* /*module*/, const char* /*format*/,
                    va_list /*arguments*/) {
    return 1;
  }
};

bool TiffStream::Open(const std::string& name, const char* mode) {
  TIFFOpenOptions* const options = TIFFOpenOptionsAlloc();
  TIFFOpenOptionsSetErrorHandlerExtR(options, &Callbacks::Complain, this);
  TIFFOpenOptionsSetWarningHandlerExtR(options, &Callbacks::Ignore, this);
  tiff_ = TIFFClientOpenExt(name.c_str(), mode, this, &Callbacks::Read, &Callbacks::Write,
                            &Callbacks::Seek, &Callbacks::Close, &Callbacks::FileSize,
                            &Callbacks::Map, &Callbacks::Unmap, options);
  TIFFOpenOptionsFree(options);
  return tiff_ != nullptr;
}

void TiffStream::Close() {
  if (tiff_ != nullptr) TIFFClose(std::exchange(tiff_, nullptr));
}

int PhotometricOf(const CanvasFormat& format, const TiffEncoding& encoding) {
  if (format.channels < 3 || format.array) return PHOTOMETRIC_MINISBLACK;
  const bool ycbcr = encoding.compression == Compression::kJpeg &&
                     (!encoding.jpeg.has_value() || encoding.jpeg->ycbcr);
  return ycbcr ? PHOTOMETRIC_YCBCR : PHOTOMETRIC_RGB;
}

bool DescribeSamples(TIFF* tiff, const CanvasFormat& format, const TiffEncoding& encoding) {
  const bool floating = format.sample == SampleType::kF16 || format.sample == SampleType::kF32;
  const int photometric = PhotometricOf(format, encoding);
  bool good = true;
  const auto set = [&](uint32_t tag, auto... values) {
    good = good && TIFFSetField(tiff, tag, values...) == 1;
  };
  set(TIFFTAG_IMAGEWIDTH, static_cast<uint32_t>(format.size.width));
  set(TIFFTAG_IMAGELENGTH, static_cast<uint32_t>(format.size.height));
  set(TIFFTAG_TILEWIDTH, static_cast<uint32_t>(encoding.tile_side));
  set(TIFFTAG_TILELENGTH, static_cast<uint32_t>(encoding.tile_side));
  set(TIFFTAG_SAMPLESPERPIXEL, format.channels);
  set(TIFFTAG_BITSPERSAMPLE, 8 * BytesPerSample(format.sample));
  set(TIFFTAG_SAMPLEFORMAT, floating ? SAMPLEFORMAT_IEEEFP : SAMPLEFORMAT_UINT);
  set(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
  if (format.array) {
    const std::vector<uint16_t> kinds(static_cast<size_t>(format.channels - 1),
                                      EXTRASAMPLE_UNSPECIFIED);
    set(TIFFTAG_EXTRASAMPLES, format.channels - 1, kinds.data());
  } else if (format.channels == 2 || format.channels == 4) {
    const uint16_t alpha_kind = EXTRASAMPLE_UNASSALPHA;
    set(TIFFTAG_EXTRASAMPLES, 1, &alpha_kind);
  }
  set(TIFFTAG_COMPRESSION, static_cast<int>(CompressionTag(encoding.compression)));
  set(TIFFTAG_PHOTOMETRIC, photometric);
  if (photometric == PHOTOMETRIC_YCBCR) {
    const int usual = encoding.jpeg_quality >= kFullColourQuality ? 1 : 2;
    const int step = encoding.jpeg.has_value() ? encoding.jpeg->chroma_step : usual;
    set(TIFFTAG_YCBCRSUBSAMPLING, step, step);
  }
  if (UsesPredictor(encoding, format.sample)) {
    set(TIFFTAG_PREDICTOR, PREDICTOR_HORIZONTAL);
  }
  return good;
}

}  // namespace tilewright
