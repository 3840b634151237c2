#include "client/cli/json_writer.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tilewright {
namespace {

std::string Escaped(absl::string_view value) {
  JsonWriter json;
  json.BeginArray().String(value).EndArray();
  return json.text();
}

TEST(JsonWriter, NestsAndSeparates) {
  JsonWriter json;
  json.BeginObject().Key("a").Integer(1).Key("b").BeginArray();
  json.BeginObject().EndObject().BeginArray().EndArray().Bool(true).Null().Number(0.1);
  json.EndArray().Key("c").String("x").EndObject();
  EXPECT_EQ(json.text(), R"({"a":1,"b":[{},[],true,null,0.1],"c":"x"})");
}

TEST(JsonWriter, EscapesWhatJsonForbids) {
  EXPECT_EQ(Escaped("a\"b\\c\n\t\r\x01\x7f/"), R"(["a\"b\\c\n\t\u000d\u0001\u007f/"])");
  EXPECT_EQ(Escaped(absl::string_view("a\0b", 3)), R"(["a\u0000b"])");
  EXPECT_EQ(Escaped("ä€𝄞"), "[\"ä€𝄞\"]");
  JsonWriter json;
  json.BeginObject().Key("k\"").Null().EndObject();
  EXPECT_EQ(json.text(), R"({"k\"":null})");
}

TEST(JsonWriter, ReplacesWhatIsNoUtf8) {
  EXPECT_EQ(Escaped("a\xff"
                    "b"),
            "[\"a\xEF\xBF\xBD"
            "b\"]");
  EXPECT_EQ(Escaped("\xc3"), "[\"\xEF\xBF\xBD\"]");                  // cut short
  EXPECT_EQ(Escaped("\xc0\xaf"), "[\"\xEF\xBF\xBD\xEF\xBF\xBD\"]");  // overlong
  EXPECT_EQ(Escaped("\xed\xa0\x80").size(), 4u + 9u);                // surrogate
  EXPECT_EQ(Escaped("\xf4\x90\x80\x80").size(), 4u + 12u);           // above U+10FFFF
}

TEST(JsonWriter, NumbersReadBackAsTheSame) {
  JsonWriter json;
  json.BeginArray().Integer(std::numeric_limits<uint64_t>::max()).Number(1e300).Number(-0.25);
  json.Number(std::nan("")).Number(INFINITY).Number(3).EndArray();
  EXPECT_EQ(json.text(), "[18446744073709551615,1e+300,-0.25,null,null,3]");
}

// An independent reader takes every byte string back, or its replacement.
TEST(JsonWriter, AnotherReaderUnderstandsEveryByte) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  JsonWriter json;
  json.BeginObject().Key("all").String(all).EndObject();
  google::protobuf::Struct parsed;
  const auto status = google::protobuf::util::JsonStringToMessage(json.text(), &parsed);
  ASSERT_TRUE(status.ok()) << status;
  const std::string& back = parsed.fields().at("all").string_value();
  EXPECT_EQ(back.substr(0, 128), all.substr(0, 128));
  EXPECT_EQ(back.size(), 128u + 128u * 3u);
}

}  // namespace
}  // namespace tilewright
