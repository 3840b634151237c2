#include "proto/wire/checksum.h"

#include "absl/strings/str_format.h"
#include "proto/wire/xxh3.h"

namespace tilewright {

uint64_t Checksum(absl::Span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

struct RunningChecksum::State {
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> xxh{XXH3_createState()};
};

RunningChecksum::RunningChecksum() : state_(std::make_unique<State>()) { Reset(); }
RunningChecksum::~RunningChecksum() = default;

void RunningChecksum::Reset() { XXH3_64bits_reset(state_->xxh.get()); }

void RunningChecksum::Add(absl::Span<const std::byte> bytes) {
  XXH3_64bits_update(state_->xxh.get(), bytes.data(), bytes.size());
}

uint64_t RunningChecksum::value() const { return XXH3_64bits_digest(state_->xxh.get()); }

std::string HexDigest(absl::string_view text) {
  return absl::StrFormat("%016x", XXH3_64bits(text.data(), text.size()));
}

}  // namespace tilewright
