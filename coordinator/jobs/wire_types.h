// Between the words of the core and those of the protocol: rectangles, sample types, lease ids.
// Pure functions; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_WIRE_TYPES_H_
#define TILEWRIGHT_COORDINATOR_JOBS_WIRE_TYPES_H_

#include <optional>

#include "coordinator/schedule/types.h"
#include "proto/blend/sample.h"
#include "proto/geometry/rect.h"
#include "tilewright/v1/tile.pb.h"

namespace tilewright {

inline v1::SampleType ToWire(SampleType type) {
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

// nullopt for an unspecified or unknown type.
inline std::optional<SampleType> FromWire(v1::SampleType type) {
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

inline void SetWire(const Rect& rect, v1::Rect* wire) {
  wire->set_x(rect.x);
  wire->set_y(rect.y);
  wire->set_width(rect.width);
  wire->set_height(rect.height);
}
inline Rect FromWire(const v1::Rect& wire) {
  return {wire.x(), wire.y(), wire.width(), wire.height()};
}

inline void SetWire(const LeaseKey& lease, v1::LeaseId* wire) {
  wire->set_epoch(lease.epoch);
  wire->set_sequence(lease.sequence);
}
inline LeaseKey FromWire(const v1::LeaseId& wire) { return {wire.epoch(), wire.sequence()}; }

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_WIRE_TYPES_H_
