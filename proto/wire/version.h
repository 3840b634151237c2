// The protocol version that this tree speaks; another major is refused at Hello. Constants only.

#ifndef TILEWRIGHT_PROTO_WIRE_VERSION_H_
#define TILEWRIGHT_PROTO_WIRE_VERSION_H_

#include <cstdint>

namespace tilewright {

inline constexpr uint32_t kProtocolMajor = 1;
inline constexpr uint32_t kProtocolMinor = 0;

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_WIRE_VERSION_H_
