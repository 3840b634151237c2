// Which machine this is. A function only; thread-safe.

#ifndef TILEWRIGHT_PROTO_WIRE_HOST_ID_H_
#define TILEWRIGHT_PROTO_WIRE_HOST_ID_H_

#include <string>

namespace tilewright {

// The same in every process of one boot of one machine (the kernel's boot id; the host name where
// that cannot be read). Equal ids suggest a shared machine, they do not prove it.
std::string HostId();

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_WIRE_HOST_ID_H_
