// Wording shared by the notices and errors of the scheduling core. Pure functions; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_SENTENCES_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_SENTENCES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"

namespace tilewright::schedule {

// Workers that one sentence names; of more it says how many there are.
inline constexpr size_t kWorkersNamed = 8;

// "tile 3", "tiles 3, 4 and 7", "tiles 3, 4, 5, 6, 7, 8, 9, 10 and 992 more".
std::string TileList(absl::Span<const int64_t> tiles);
// "a", "a and b", "a, b and c".
std::string JoinAnd(const std::vector<std::string>& parts);
// "8 s", "1.5 s", "0.02 s": seconds with at most three significant digits below 100.
std::string SecondsText(absl::Duration d);
// "512 B", "1.5 MiB".
std::string BytesText(int64_t bytes);
// The first characters of a digest, enough for people to tell two apart.
std::string ShortDigest(const std::string& digest);
// `text` without trailing full stops and blanks, at most 300 bytes: foreign text inside our
// sentences.
std::string Quoted(const std::string& text);

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_SENTENCES_H_
