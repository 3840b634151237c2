#include "proto/wire/file_uri.h"

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

constexpr absl::string_view kScheme = "file://";

bool IsPlain(unsigned char c) {
  return absl::ascii_isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~' || c == '/';
}

absl::Status BadUri(absl::string_view uri, absl::string_view why) {
  return WithReason(
      absl::InvalidArgumentError(absl::StrCat("'", uri, "' is not a usable file URI: ", why,
                                              "; give file:///ABSOLUTE/PATH")),
      "BAD_URI");
}

}  // namespace

std::string FileUri(absl::string_view absolute_path) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string uri(kScheme);
  for (const char c : absolute_path) {
    const auto byte = static_cast<unsigned char>(c);
    if (IsPlain(byte)) {
      uri += c;
    } else {
      uri += '%';
      uri += kHex[byte >> 4];
      uri += kHex[byte & 15];
    }
  }
  return uri;
}

absl::StatusOr<std::string> PathOfFileUri(absl::string_view uri) {
  absl::string_view rest = uri;
  if (!absl::ConsumePrefix(&rest, kScheme)) return BadUri(uri, "it does not start with file://");
  if (rest.empty() || rest.front() != '/')
    return BadUri(uri, "it names a host or no absolute path");
  std::string path;
  for (size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] != '%') {
      path += rest[i];
      continue;
    }
    if (i + 2 >= rest.size() || !absl::ascii_isxdigit(rest[i + 1]) ||
        !absl::ascii_isxdigit(rest[i + 2])) {
      return BadUri(uri, "a % stands without two hexadecimal digits");
    }
    path += absl::HexStringToBytes(rest.substr(i + 1, 2));
    i += 2;
  }
  if (path.find('\0') != std::string::npos) return BadUri(uri, "it holds a NUL");
  return path;
}

}  // namespace tilewright
