// Random bytes from the kernel, for ids and nonces. Functions without state, so thread-safe.

#ifndef TILEWRIGHT_PROTO_WIRE_RANDOM_BYTES_H_
#define TILEWRIGHT_PROTO_WIRE_RANDOM_BYTES_H_

#include <sys/random.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <string>

#include "absl/strings/escaping.h"

namespace tilewright {

// Ends the process where the kernel refuses: ids would collide, and nonces prove nothing.
inline void FillRandom(void* bytes, size_t size) {
  auto* next = static_cast<char*>(bytes);
  while (size > 0) {
    const ssize_t got = getrandom(next, size, 0);
    if (got < 0 && errno != EINTR) std::abort();
    if (got <= 0) continue;
    next += got;
    size -= static_cast<size_t>(got);
  }
}

inline std::string RandomBytes(size_t size) {
  std::string bytes(size, '\0');
  FillRandom(bytes.data(), size);
  return bytes;
}

inline std::string RandomHex(size_t bytes) { return absl::BytesToHexString(RandomBytes(bytes)); }

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_WIRE_RANDOM_BYTES_H_
