#include "proto/wire/tile_types.h"

namespace tilewright {

v1::SampleType ToWire(SampleType type) {
  switch (type) {
    case SampleType::kU8:
      return v1::SAMPLE_TYPE_U8;
    case SampleType::kU16:
      return v1::SAMPLE_TYPE_U16;
    case SampleType::kF16:
      return v1::SAMPLE_TYPE_F16;
    case SampleType::kF32:
      return v1::SAMPLE_TYPE_F32;
  }
  return v1::SAMPLE_TYPE_UNSPECIFIED;
}

std::optional<SampleType> FromWire(v1::SampleType type) {
  switch (type) {
    case v1::SAMPLE_TYPE_U8:
      return SampleType::kU8;
    case v1::SAMPLE_TYPE_U16:
      return SampleType::kU16;
    case v1::SAMPLE_TYPE_F16:
      return SampleType::kF16;
    case v1::SAMPLE_TYPE_F32:
      return SampleType::kF32;
    default:
      return std::nullopt;
  }
}

int64_t SampleBytes(v1::SampleType type) {
  const std::optional<SampleType> known = FromWire(type);
  return known.has_value() ? BytesPerSample(*known) : 0;
}

void SetWire(const Rect& rect, v1::Rect* wire) {
  wire->set_x(rect.x);
  wire->set_y(rect.y);
  wire->set_width(rect.width);
  wire->set_height(rect.height);
}

Rect FromWire(const v1::Rect& wire) { return {wire.x(), wire.y(), wire.width(), wire.height()}; }

}  // namespace tilewright
