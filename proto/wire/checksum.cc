#include "proto/wire/checksum.h"

#include "absl/strings/str_format.h"
#include "proto/wire/xxh3.h"

namespace tilewright {

uint64_t Checksum(absl::Span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::string HexDigest(absl::string_view text) {
  return absl::StrFormat("%016x", XXH3_64bits(text.data(), text.size()));
}

}  // namespace tilewright
