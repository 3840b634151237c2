#include "coordinator/image/mask.h"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "coordinator/image/any_set.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

// EXIF orientations above 4 exchange width and height.
bool Transposes(int orientation) { return orientation > 4; }

// Where the stored pixel (x, y) of an image lies when it is shown.
struct Place {
  int64_t x;
  int64_t y;
};
Place ShownAt(int orientation, Size stored, int64_t x, int64_t y) {
  const int64_t right = stored.width - 1 - x;
  const int64_t below = stored.height - 1 - y;
  switch (orientation) {
    case 5:
      return {y, x};
    case 6:
      return {below, x};
    case 7:
      return {below, right};
    case 8:
      return {y, right};
    default:
      return {x, y};
  }
}

template <typename Sample, typename MaskSample>
void Apply(int channels, absl::Span<const std::byte> source, absl::Span<const std::byte> mask,
           absl::Span<std::byte> result) {
  constexpr uint32_t kMax = static_cast<MaskSample>(-1);
  const size_t pixels = mask.size() / sizeof(MaskSample);
  const auto pixel_bytes = static_cast<size_t>(channels) * sizeof(Sample);
  for (size_t i = 0; i < pixels; ++i) {
    MaskSample weight;
    std::memcpy(&weight, mask.data() + i * sizeof(weight), sizeof(weight));
    const std::byte* const from = source.data() + i * pixel_bytes;
    std::byte* const to = result.data() + i * pixel_bytes;
    if (weight == 0) {
      std::memcpy(to, from, pixel_bytes);
      continue;
    }
    if (weight == kMax) continue;
    for (size_t c = 0; c < pixel_bytes; c += sizeof(Sample)) {
      Sample old_value, new_value;
      std::memcpy(&old_value, from + c, sizeof(Sample));
      std::memcpy(&new_value, to + c, sizeof(Sample));
      // At most 65535 × 65535 + 32767, which fits.
      const auto mixed = static_cast<Sample>(
          (old_value * (kMax - weight) + uint32_t{new_value} * weight + kMax / 2) / kMax);
      std::memcpy(to + c, &mixed, sizeof(Sample));
    }
  }
}

}  // namespace

void ApplyMask(SampleType sample, int channels, absl::Span<const std::byte> source,
               SampleType mask_sample, absl::Span<const std::byte> mask,
               absl::Span<std::byte> result) {
  assert(source.size() == result.size());
  const bool wide_mask = mask_sample == SampleType::kU16;
  if (sample == SampleType::kU16) {
    (wide_mask ? Apply<uint16_t, uint16_t> : Apply<uint16_t, uint8_t>)(channels, source, mask,
                                                                       result);
  } else {
    (wide_mask ? Apply<uint8_t, uint16_t> : Apply<uint8_t, uint8_t>)(channels, source, mask,
                                                                     result);
  }
}

absl::StatusOr<std::unique_ptr<Mask>> Mask::Create(ImageReader& reader, const ImageInfo& image) {
  const ImageInfo& mask = reader.info();
  if (mask.channels != 1 || mask.sample == SampleType::kF32) {
    return absl::InvalidArgumentError(
        absl::StrCat("the mask has ", mask.channels, " channels of type ",
                     SampleTypeName(mask.sample), ": give one grey channel of 8 or 16 bits"));
  }
  const int orientation = image.metadata.orientation;
  const Size shown = {image.size.height, image.size.width};
  if (mask.size == image.size) return std::unique_ptr<Mask>(new Mask(reader, image.size, 1));
  if (Transposes(orientation) && mask.size == shown) {
    return std::unique_ptr<Mask>(new Mask(reader, image.size, orientation));
  }
  return absl::InvalidArgumentError(absl::StrCat("the mask has ", ToString(mask.size),
                                                 " pixels, the image ", ToString(image.size),
                                                 ": they must be equally large"));
}

Rect Mask::Shown(const Rect& rect) const {
  if (orientation_ == 1) return rect;
  // The rectangle as shown has its opposite corners where the stored ones are shown.
  const Place a = ShownAt(orientation_, image_, rect.x, rect.y);
  const Place b = ShownAt(orientation_, image_, rect.right() - 1, rect.bottom() - 1);
  return {std::min(a.x, b.x), std::min(a.y, b.y), rect.height, rect.width};
}

absl::Status Mask::Read(const Rect& rect, std::vector<std::byte>& samples) const {
  const auto bytes = static_cast<size_t>(BytesPerSample(sample()));
  samples.resize(static_cast<size_t>(rect.area()) * bytes);
  const Rect shown = Shown(rect);
  if (orientation_ == 1) return reader_.Read(shown, PadMode::kZero, absl::MakeSpan(samples));
  std::vector<std::byte> turned(samples.size());
  TW_RETURN_IF_ERROR(reader_.Read(shown, PadMode::kZero, absl::MakeSpan(turned)));
  std::byte* out = samples.data();
  for (int64_t y = rect.y; y < rect.bottom(); ++y) {
    for (int64_t x = rect.x; x < rect.right(); ++x, out += bytes) {
      const Place at = ShownAt(orientation_, image_, x, y);
      std::memcpy(out,
                  turned.data() +
                      static_cast<size_t>((at.y - shown.y) * shown.width + at.x - shown.x) * bytes,
                  bytes);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Mask::Marks(const Rect& rect, std::vector<std::byte>& samples) const {
  if (KnownEmpty(rect)) return false;
  TW_RETURN_IF_ERROR(Read(rect, samples));
  return AnySet(samples);
}

}  // namespace tilewright
