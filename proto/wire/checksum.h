// XXH3-64, the only checksum of protocol 1. Pure; thread-safe.

#ifndef TILEWRIGHT_PROTO_WIRE_CHECKSUM_H_
#define TILEWRIGHT_PROTO_WIRE_CHECKSUM_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace tilewright {

uint64_t Checksum(absl::Span<const std::byte> bytes);
// 16 hexadecimal digits of the checksum of a text: plan digests, canary digests.
std::string HexDigest(absl::string_view text);

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_WIRE_CHECKSUM_H_
