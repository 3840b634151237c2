// Writes JSON on one line, correct for any bytes in its strings. Thread-compatible.

#ifndef TILEWRIGHT_CLIENT_CLI_JSON_WRITER_H_
#define TILEWRIGHT_CLIENT_CLI_JSON_WRITER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace tilewright {

// A value follows each Key, values stand between Begin and End. Misuse is a bug and stops the
// program.
class JsonWriter {
 public:
  JsonWriter& BeginObject();
  JsonWriter& EndObject();
  JsonWriter& BeginArray();
  JsonWriter& EndArray();
  JsonWriter& Key(absl::string_view name);

  // Bytes that are no UTF-8 become U+FFFD: file names may hold anything, JSON may not.
  JsonWriter& String(absl::string_view value);
  JsonWriter& Integer(uint64_t value);
  // The shortest text that reads back as the same number; null if it is not finite.
  JsonWriter& Number(double value);
  JsonWriter& Bool(bool value);
  JsonWriter& Null();

  // All that was written; every Begin must have had its End.
  const std::string& text() const;

 private:
  void BeforeValue();
  void End(char open, char close);

  std::string text_;
  std::vector<char> open_;  // '{' and '['
  bool comma_ = false;      // a value precedes in this object or array
  bool after_key_ = false;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_CLI_JSON_WRITER_H_
