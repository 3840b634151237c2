#include "proto/wire/file_uri.h"

#include <gtest/gtest.h>

#include "absl/status/status.h"

namespace tilewright {
namespace {

TEST(FileUri, EncodesWhatIsNotPlain) {
  EXPECT_EQ(FileUri("/a/b-1.tif"), "file:///a/b-1.tif");
  EXPECT_EQ(FileUri("/a b/100%/ä#?.png"), "file:///a%20b/100%25/%C3%A4%23%3F.png");
}

TEST(FileUri, EveryByteComesBack) {
  std::string path = "/";
  for (int byte = 1; byte < 256; ++byte) path += static_cast<char>(byte);
  const auto back = PathOfFileUri(FileUri(path));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, path);
}

TEST(FileUri, RefusesWhatNamesNoAbsolutePath) {
  for (const char* uri : {"", "/a", "file:/a", "file://host/a", "file://", "upload:1",
                          "file:///a%2", "file:///a%zz", "file:///a%00b", "http://a/b"}) {
    EXPECT_EQ(PathOfFileUri(uri).status().code(), absl::StatusCode::kInvalidArgument) << uri;
  }
}

}  // namespace
}  // namespace tilewright
