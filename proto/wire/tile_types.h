// Rectangles and sample types of tiles, between the words of the protocol and those that both ends
// compute with. Pure functions; thread-safe.

#ifndef TILEWRIGHT_PROTO_WIRE_TILE_TYPES_H_
#define TILEWRIGHT_PROTO_WIRE_TILE_TYPES_H_

#include <cstdint>
#include <optional>

#include "proto/blend/sample.h"
#include "proto/geometry/rect.h"
#include "tilewright/v1/tile.pb.h"

namespace tilewright {

v1::SampleType ToWire(SampleType type);
// nullopt for an unspecified or unknown type.
std::optional<SampleType> FromWire(v1::SampleType type);
// Bytes of one sample; 0 for an unspecified or unknown type.
int64_t SampleBytes(v1::SampleType type);

void SetWire(const Rect& rect, v1::Rect* wire);
Rect FromWire(const v1::Rect& wire);

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_WIRE_TILE_TYPES_H_
