// Pages of what was uploaded: a request gets the one that was kept, or a sentence.

#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/coordinator/jobs/resolve_fixture.h"

namespace tilewright {
namespace {

class UploadedPageTest : public ResolveJobTest {
 protected:
  // The URI of what is kept of a file for a page.
  std::string Upload(const std::string& name, uint32_t page) {
    std::ifstream file(absl::StrCat(folder_, "/", name), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    auto writer = uploads_->Begin(static_cast<int64_t>(bytes.size()), page);
    EXPECT_TRUE(writer.ok()) << writer.status();
    if (!writer.ok()) return "";
    EXPECT_TRUE((*writer)->Append(bytes).ok());
    const auto uri = (*writer)->Keep();
    EXPECT_TRUE(uri.ok()) << uri.status();
    return uri.value_or("");
  }
};

TEST_F(UploadedPageTest, TheOneThatWasKeptIsRead) {
  v1::RenderRequest request = Request("colour.tif", "double");
  for (const uint32_t page : {0u, 2u}) {
    request.set_input(Upload("colour.tif", page));
    request.set_input_page(page);
    const auto job = Resolve(request);
    ASSERT_TRUE(job.ok()) << job.status();
    EXPECT_EQ(job->summary.input_pages(), 3u) << "of what was sent";
    EXPECT_EQ(job->uploads.size(), 1u);
  }
}

TEST_F(UploadedPageTest, NoOtherIsReadInItsPlace) {
  v1::RenderRequest request = Request("colour.tif", "double");
  request.set_input(Upload("colour.tif", 2));
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "BAD_REQUEST",
                absl::StrCat("page 0 of '", request.input(),
                             "' was asked for, and page 2 is what was kept of it: upload the file "
                             "for that page"));
  request.set_input(Upload("colour.tif", 0));
  request.set_input_page(1);
  EXPECT_EQ(ReasonOf(Resolve(request).status()), "BAD_REQUEST");
}

}  // namespace
}  // namespace tilewright
