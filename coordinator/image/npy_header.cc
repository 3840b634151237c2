#include "coordinator/image/npy_header.h"

#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "proto/base/status_macros.h"
#include "proto/blend/channel_count.h"

namespace tilewright {
namespace {

constexpr absl::string_view kMagic = "\x93NUMPY";
// The magic, two bytes of version, and 2 (version 1) or 4 bytes of length.
constexpr size_t kVersionAt = 6;
constexpr size_t kLengthAt = 8;
constexpr size_t kAlignment = 64;
constexpr size_t kAxesMax = 32;         // NumPy's own limit
constexpr size_t kQuotedCharsMax = 40;  // of the header in a message

absl::Status Malformed(absl::string_view expected, absl::string_view rest) {
  return absl::InvalidArgumentError(
      absl::StrCat("its .npy header is damaged: ", expected, " should be where '",
                   absl::CEscape(rest.substr(0, kQuotedCharsMax)), "' is"));
}

// The values of the dictionary.
struct Entries {
  std::optional<std::string> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<int64_t>> shape;
};

// Reads a Python literal from left to right, as much of the language as NumPy writes.
class LiteralReader {
 public:
  explicit LiteralReader(absl::string_view text) : rest_(text) {}

  absl::string_view rest() const { return rest_; }
  bool Skip(absl::string_view token) {
    SkipSpaces();
    return absl::ConsumePrefix(&rest_, token);
  }
  absl::Status Expect(absl::string_view token) {
    return Skip(token) ? absl::OkStatus() : Malformed(absl::StrCat("'", token, "'"), rest_);
  }
  bool AtEnd() {
    SkipSpaces();
    return rest_.empty();
  }

  absl::StatusOr<std::string> Text() {
    SkipSpaces();
    const absl::string_view all = rest_;
    const char quote = rest_.empty() ? '\0' : rest_.front();
    const size_t end = quote == '\'' || quote == '"' ? rest_.find(quote, 1) : rest_.npos;
    if (end == rest_.npos) return Malformed("a text in quotes", all);
    const absl::string_view text = rest_.substr(1, end - 1);
    if (absl::StrContains(text, '\\')) return Malformed("a text without escapes", all);
    rest_.remove_prefix(end + 1);
    return std::string(text);
  }

  absl::StatusOr<bool> Truth() {
    if (Skip("True")) return true;
    if (Skip("False")) return false;
    return Malformed("True or False", rest_);
  }

  absl::StatusOr<std::vector<int64_t>> Tuple() {
    TW_RETURN_IF_ERROR(Expect("("));
    std::vector<int64_t> numbers;
    bool comma = true;
    while (!Skip(")")) {
      if (!comma) return Malformed("','", rest_);
      if (numbers.size() == kAxesMax) return Malformed("')'", rest_);
      TW_ASSIGN_OR_RETURN(numbers.emplace_back(), Number());
      comma = Skip(",");
    }
    // In Python, (5) is a number.
    if (numbers.size() == 1 && !comma) return Malformed("',)'", ")");
    return numbers;
  }

 private:
  void SkipSpaces() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\n')) {
      rest_.remove_prefix(1);
    }
  }

  absl::StatusOr<int64_t> Number() {
    SkipSpaces();
    size_t digits = 0;
    while (digits < rest_.size() &&
           absl::ascii_isdigit(static_cast<unsigned char>(rest_[digits]))) {
      ++digits;
    }
    int64_t number = 0;
    if (!absl::SimpleAtoi(rest_.substr(0, digits), &number)) {
      return Malformed("a number of 64 bits", rest_);
    }
    rest_.remove_prefix(digits);
    return number;
  }

  absl::string_view rest_;
};

absl::Status ReadEntry(LiteralReader& reader, Entries* entries) {
  const absl::string_view all = reader.rest();
  TW_ASSIGN_OR_RETURN(const std::string key, reader.Text());
  TW_RETURN_IF_ERROR(reader.Expect(":"));
  if (key == "descr" && !entries->descr) {
    if (reader.Skip("[")) {
      return absl::InvalidArgumentError(
          "its samples are records of several fields: save one field of it");
    }
    TW_ASSIGN_OR_RETURN(entries->descr, reader.Text());
  } else if (key == "fortran_order" && !entries->fortran_order) {
    TW_ASSIGN_OR_RETURN(entries->fortran_order, reader.Truth());
  } else if (key == "shape" && !entries->shape) {
    TW_ASSIGN_OR_RETURN(entries->shape, reader.Tuple());
  } else {
    return Malformed("'descr', 'fortran_order' or 'shape', each once,", all);
  }
  return absl::OkStatus();
}

absl::StatusOr<Entries> ReadDictionary(absl::string_view text) {
  LiteralReader reader(text);
  Entries entries;
  TW_RETURN_IF_ERROR(reader.Expect("{"));
  bool comma = true;
  while (!reader.Skip("}")) {
    if (!comma) return Malformed("','", reader.rest());
    TW_RETURN_IF_ERROR(ReadEntry(reader, &entries));
    comma = reader.Skip(",");
  }
  if (!reader.AtEnd()) return Malformed("the header's end", reader.rest());
  if (!entries.descr || !entries.fortran_order || !entries.shape) {
    return Malformed("'descr', 'fortran_order' and 'shape'", text);
  }
  return entries;
}

absl::StatusOr<SampleType> SampleOf(absl::string_view descr) {
  if (descr == "|u1") return SampleType::kU8;
  if (descr == "<u2") return SampleType::kU16;
  if (descr == "<f4") return SampleType::kF32;
  std::string save;  // nothing for what is no plain number: texts, objects, dates, complex ones
  if (descr == "|b1") {
    save = ": save a.astype(numpy.uint8) * 255";
  } else if (descr.size() > 1 && absl::StrContains("iuf", descr.substr(1, 1))) {
    save = absl::StrCat(": save a.astype(numpy.",
                        absl::EndsWith(descr, "u2") ? "uint16" : "float32", ")");
  }
  return absl::InvalidArgumentError(absl::StrCat("its samples are of type '",
                                                 absl::CEscape(descr.substr(0, kQuotedCharsMax)),
                                                 "'; '|u1', '<u2' and '<f4' can be read", save));
}

// Fills size and channels.
absl::Status ReadShape(const std::vector<int64_t>& shape, NpyHeader* header) {
  const std::string name = absl::StrCat("(", absl::StrJoin(shape, ", "), ")");
  constexpr absl::string_view kReadable =
      "(height, width) and (height, width, channels) can be read";
  if (shape.size() < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("its shape is ", name, "; ", kReadable, ": save a.reshape(height, width)"));
  }
  // Among the last three axes.
  const int64_t first = shape.size() >= 3 ? shape[shape.size() - 3] : 0;
  if (shape.size() > 3) {
    std::string image = "a[0";
    for (size_t axis = 4; axis < shape.size(); ++axis) image += ", 0";
    image += "]";
    return absl::InvalidArgumentError(absl::StrCat(
        "its shape ", name, " has ", shape.size(), " axes; ", kReadable, ": save one image of it, ",
        first <= kChannelsMax && first < shape.back()
            ? absl::StrCat("numpy.moveaxis(", image, ", 0, -1)")
            : image));
  }
  for (const int64_t side : shape) {
    if (side == 0) {
      return absl::InvalidArgumentError(absl::StrCat("its shape ", name, " holds no sample"));
    }
  }
  if (shape.size() == 3 && first <= kChannelsMax && shape.back() > kChannelsMax) {
    return absl::InvalidArgumentError(absl::StrCat("its shape ", name, " has the channels first; ",
                                                   kReadable, ": save numpy.moveaxis(a, 0, -1)"));
  }
  if (shape.size() == 3 && shape[2] > kChannelsMax) {
    return absl::InvalidArgumentError(absl::StrCat("its shape ", name, " has ", shape[2],
                                                   " channels; ", kReadable, ", with up to ",
                                                   kChannelsMax, " channels"));
  }
  header->size = {shape[1], shape[0]};
  header->channels = shape.size() == 3 ? static_cast<int>(shape[2]) : 1;
  return absl::OkStatus();
}

}  // namespace

bool IsNpy(absl::string_view start) { return absl::StartsWith(start, kMagic); }

absl::StatusOr<NpyHeader> ParseNpyHeader(absl::string_view start) {
  const auto byte = [start](size_t at) { return static_cast<uint8_t>(start[at]); };
  if (!IsNpy(start) || start.size() < kLengthAt + 4) {
    return absl::InvalidArgumentError("its .npy header is damaged: it ends early");
  }
  const int version = byte(kVersionAt);
  if (version < 1 || version > 3 || byte(kVersionAt + 1) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("it is a .npy file of version ", version, ".",
                                                   static_cast<int>(byte(kVersionAt + 1)),
                                                   "; 1.0, 2.0 and 3.0 can be read"));
  }
  const size_t length_bytes = version == 1 ? 2 : 4;
  size_t length = 0;
  for (size_t i = length_bytes; i-- > 0;) length = length << 8 | byte(kLengthAt + i);
  const size_t text_at = kLengthAt + length_bytes;
  if (length > static_cast<size_t>(kNpyHeaderBytesMax) - text_at) {
    return absl::InvalidArgumentError(absl::StrCat("its .npy header claims ", text_at + length,
                                                   " bytes; the limit is ", kNpyHeaderBytesMax));
  }
  if (length > start.size() - text_at) {
    return absl::InvalidArgumentError("its .npy header is damaged: it ends early");
  }
  TW_ASSIGN_OR_RETURN(const Entries entries, ReadDictionary(start.substr(text_at, length)));
  NpyHeader header;
  header.bytes = static_cast<int64_t>(text_at + length);
  TW_ASSIGN_OR_RETURN(header.sample, SampleOf(*entries.descr));
  TW_RETURN_IF_ERROR(ReadShape(*entries.shape, &header));
  if (*entries.fortran_order) {
    return absl::InvalidArgumentError(
        "its samples are in Fortran order; C order can be read: save numpy.ascontiguousarray(a)");
  }
  return header;
}

std::string WriteNpyHeader(Size size, int channels, SampleType sample) {
  const absl::string_view descr = sample == SampleType::kU8    ? "|u1"
                                  : sample == SampleType::kU16 ? "<u2"
                                                               : "<f4";
  std::string text =
      absl::StrCat("{'descr': '", descr, "', 'fortran_order': False, 'shape': (", size.height, ", ",
                   size.width, channels == 1 ? "" : absl::StrCat(", ", channels), "), }");
  // The line's end is the header's last byte.
  const size_t text_at = kLengthAt + 2;
  const size_t end = (text_at + text.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
  text.append(end - text_at - text.size() - 1, ' ');
  text += '\n';
  std::string header(kMagic);
  for (const size_t byte : {size_t{1}, size_t{0}, text.size() & 0xff, text.size() >> 8}) {
    header += static_cast<char>(byte);
  }
  return header + text;
}

int64_t NpyFileBytes(Size size, int channels, SampleType sample) {
  return static_cast<int64_t>(WriteNpyHeader(size, channels, sample).size()) +
         size.area() * channels * BytesPerSample(sample);
}

}  // namespace tilewright
