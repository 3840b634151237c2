#include "client/cli/json_writer.h"

#include <cassert>
#include <charconv>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace tilewright {
namespace {

// Bytes of the well-formed UTF-8 character at the start of `text`, or 0: no overlong forms,
// surrogates or values above U+10FFFF.
size_t CharacterBytes(absl::string_view text) {
  const auto byte = [&text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t bytes = lead >= 0xC2 && lead <= 0xDF   ? 2
                       : (lead & 0xF0) == 0xE0        ? 3
                       : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                      : 0;
  if (bytes == 0 || text.size() < bytes) return 0;
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if (lead == 0xE0 && byte(1) < 0xA0) return 0;
  if (lead == 0xED && byte(1) > 0x9F) return 0;
  if (lead == 0xF0 && byte(1) < 0x90) return 0;
  if (lead == 0xF4 && byte(1) > 0x8F) return 0;
  return bytes;
}

void AppendEscaped(std::string& out, absl::string_view value) {
  while (!value.empty()) {
    const size_t bytes = CharacterBytes(value);
    if (bytes == 0) {
      out += "\xEF\xBF\xBD";
      value.remove_prefix(1);
      continue;
    }
    const char c = value.front();
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned>(c));
    } else {
      absl::StrAppend(&out, value.substr(0, bytes));
    }
    value.remove_prefix(bytes);
  }
}

}  // namespace

void JsonWriter::BeforeValue() {
  assert(after_key_ || open_.empty() || open_.back() == '[');
  if (!after_key_ && comma_) text_ += ',';
  after_key_ = false;
  comma_ = true;
}

JsonWriter& JsonWriter::BeginObject() {
  BeforeValue();
  text_ += '{';
  open_.push_back('{');
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::BeginArray() {
  BeforeValue();
  text_ += '[';
  open_.push_back('[');
  comma_ = false;
  return *this;
}

void JsonWriter::End(char open, char close) {
  assert(!open_.empty() && open_.back() == open && !after_key_);
  (void)open;
  open_.pop_back();
  text_ += close;
  comma_ = true;
}

JsonWriter& JsonWriter::EndObject() {
  End('{', '}');
  return *this;
}

JsonWriter& JsonWriter::EndArray() {
  End('[', ']');
  return *this;
}

JsonWriter& JsonWriter::Key(absl::string_view name) {
  assert(!open_.empty() && open_.back() == '{' && !after_key_);
  if (comma_) text_ += ',';
  text_ += '"';
  AppendEscaped(text_, name);
  text_ += "\":";
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::String(absl::string_view value) {
  BeforeValue();
  text_ += '"';
  AppendEscaped(text_, value);
  text_ += '"';
  return *this;
}

JsonWriter& JsonWriter::Integer(uint64_t value) {
  BeforeValue();
  absl::StrAppend(&text_, value);
  return *this;
}

JsonWriter& JsonWriter::Number(double value) {
  if (!std::isfinite(value)) return Null();
  BeforeValue();
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value);
  text_.append(digits, end.ptr);
  return *this;
}

JsonWriter& JsonWriter::Bool(bool value) {
  BeforeValue();
  text_ += value ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::Null() {
  BeforeValue();
  text_ += "null";
  return *this;
}

const std::string& JsonWriter::text() const {
  assert(open_.empty());
  return text_;
}

}  // namespace tilewright
