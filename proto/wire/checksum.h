// XXH3-64, the only checksum of protocol 1. Pure; thread-safe.

#ifndef TILEWRIGHT_PROTO_WIRE_CHECKSUM_H_
#define TILEWRIGHT_PROTO_WIRE_CHECKSUM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace tilewright {

uint64_t Checksum(absl::Span<const std::byte> bytes);
// The checksum of bytes that come piece by piece. Belongs to one thread at a time.
class RunningChecksum {
 public:
  RunningChecksum();  // of no bytes
  ~RunningChecksum();
  void Reset();
  void Add(absl::Span<const std::byte> bytes);
  // Of what was added since the beginning or the latest Reset.
  uint64_t value() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};
// 16 hexadecimal digits of the checksum of a text: plan digests, canary digests.
std::string HexDigest(absl::string_view text);

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_WIRE_CHECKSUM_H_
