// A folder with models and images, and requests of them that are resolved. Images are written by
// the code under test, whose own tests hold it against others. Not thread-safe.

#ifndef TILEWRIGHT_TESTS_COORDINATOR_JOBS_RESOLVE_FIXTURE_H_
#define TILEWRIGHT_TESTS_COORDINATOR_JOBS_RESOLVE_FIXTURE_H_

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "coordinator/jobs/resolve_job.h"
#include "coordinator/jobs/state_folder.h"
#include "gtest/gtest.h"
#include "proto/wire/file_uri.h"
#include "proto/wire/status_details.h"

namespace tilewright {

class ResolveJobTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(StartImageLibrary("resolve_job_test").ok()); }

  void SetUp() override {
    folder_ = absl::StrCat(std::filesystem::canonical(testing::TempDir()).string(), "/resolve-",
                           RandomId());
    std::filesystem::create_directories(folder_ + "/uploads");
    AddModel("double",
             "scale_p: 2 halo: 3 exactness: EXACTNESS_KIND_EXACT "
             "inputs { name: \"image\" } outputs { name: \"image\" }");
    AddModel("grey",
             "exactness: EXACTNESS_KIND_APPROXIMATE "
             "inputs { name: \"image\" channels: 1 } outputs { name: \"image\" channels: 1 }");
    AddModel("colour",
             "scale_p: 2 exactness: EXACTNESS_KIND_BOUNDED epsilon: 0.5 "
             "minimum: 32 alignment: 16 "
             "inputs { name: \"image\" channels: 3 } outputs { name: \"image\" channels: 3 }");
    AddModel("halves",
             "dtypes: \"bf16\" dtypes: \"fp32\" exactness: EXACTNESS_KIND_EXACT "
             "inputs { name: \"image\" } outputs { name: \"image\" }");
    LoadModels();
    auto roots = Roots::Create({folder_});
    ASSERT_TRUE(roots.ok()) << roots.status();
    roots_ = std::make_unique<Roots>(*std::move(roots));
    // What is uploaded is kept as it is, as a page of three.
    std::filesystem::create_directories(folder_ + "/uploads");
    uploads_ = std::make_unique<Uploads>(folder_ + "/uploads", UploadLimits(),
                                         [](const UploadDecoding& decoding) {
                                           std::filesystem::copy_file(decoding.from, decoding.to);
                                           return 3;
                                         });
    WriteImage("colour.tif", 3);
    WriteImage("grey.tif", 1);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // Of the engine builtin, or torch with a file that nobody could run; seen after LoadModels.
  void AddModel(const std::string& name, const std::string& manifest, bool torch = false) {
    const std::string model = absl::StrCat(folder_, "/models/", name, "/1");
    std::filesystem::create_directories(model);
    std::ofstream(model + "/manifest.textproto")
        << "description: \"for tests\" "
        << (torch ? "engine: \"torch\" entry: \"model.pt\" "
                  : "engine: \"builtin\" entry: \"identity\" ")
        << manifest;
    if (torch) std::ofstream(model + "/model.pt") << "no network";
  }
  void LoadModels() {
    auto models = ModelRepository::Load(folder_ + "/models");
    ASSERT_TRUE(models.ok()) << models.status();
    models_ = std::make_unique<ModelRepository>(*std::move(models));
  }

  // 100 × 60 pixels unless said otherwise, at most a block of them; every byte is 7.
  void WriteImage(const std::string& name, int channels, SampleType sample = SampleType::kU8,
                  Size size = {100, 60}, int orientation = 1) {
    OutputOptions options;
    options.path = folder_ + "/" + name;
    options.format = CanvasFormat{size, channels, sample};
    options.metadata.orientation = orientation;
    auto file = OutputFile::Create(options);
    ASSERT_TRUE(file.ok()) << file.status();
    const std::vector<std::byte> samples(
        static_cast<size_t>(size.area() * options.format.pixel_bytes()), std::byte{7});
    ASSERT_TRUE((*file)->WriteBlock(0, 0, samples).ok());
    const absl::Status published = (*file)->Publish();
    ASSERT_TRUE(published.ok()) << published;
  }

  v1::RenderRequest Request(const std::string& input, const std::string& model,
                            const std::string& output = "out.tif") {
    v1::RenderRequest request;
    request.set_input(FileUri(absl::StrCat(folder_, "/", input)));
    request.set_output(FileUri(absl::StrCat(folder_, "/", output)));
    request.add_stages()->set_model(model);
    return request;
  }

  absl::StatusOr<ResolvedJob> Resolve(const v1::RenderRequest& request) {
    return ResolveJob(request, ResolveContext{*models_, *roots_, *uploads_, limits_, folder_});
  }

  void ExpectRefused(const v1::RenderRequest& request, absl::StatusCode code,
                     const std::string& reason, const std::string& sentence) {
    const absl::Status status = Resolve(request).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_EQ(ReasonOf(status), reason) << status;
    EXPECT_EQ(status.message(), sentence);
  }

  std::string folder_;
  ImageLimits limits_;
  std::unique_ptr<ModelRepository> models_;
  std::unique_ptr<Roots> roots_;
  std::unique_ptr<Uploads> uploads_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_COORDINATOR_JOBS_RESOLVE_FIXTURE_H_
