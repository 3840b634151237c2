// Whether samples hold anything. Pure; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_ANY_SET_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_ANY_SET_H_

#include <cstddef>
#include <cstring>

#include "absl/types/span.h"

namespace tilewright {

// Whether any byte is not 0.
inline bool AnySet(absl::Span<const std::byte> bytes) {
  // All are 0 if the first is and each equals the next.
  return !bytes.empty() && (bytes[0] != std::byte{0} ||
                            std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) != 0);
}

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_ANY_SET_H_
