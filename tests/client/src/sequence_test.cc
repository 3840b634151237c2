#include "tilewright/sequence.h"

#include <set>
#include <thread>

#include "absl/time/clock.h"
#include "tests/client/src/client_fixture.h"

namespace tilewright {
namespace {

using ::testing::ElementsAre;

v1::Job Ended(v1::Job::State state) {
  v1::Job job;
  job.set_state(state);
  return job;
}

class SequenceTest : public ClientFixture {
 protected:
  void SetUp() override {
    ClientFixture::SetUp();
    for (const int number : {1, 2, 3, 5}) Write(absl::StrCat("in_", number, ".png"), "a picture");
    Script({});
  }

  // Every job succeeds at once, unless `script` says more.
  void Script(FakeScript script) {
    if (script.watches.empty()) script.watches = {{.jobs = {Ended(v1::Job::STATE_SUCCEEDED)}}};
    fake_.SetScript(std::move(script));
  }

  SequenceRequest Frames() const {
    SequenceRequest request;
    request.frame.input = Path("in_%d.png");
    request.frame.output = Path("out_%02d.tif");
    request.frame.model = "double";
    request.in_flight = 2;
    return request;
  }

  std::vector<FrameResult> Run(const SequenceRequest& request) {
    auto sequence = Sequence::Create(client_.get(), request);
    EXPECT_TRUE(sequence.ok()) << sequence.status();
    if (!sequence.ok()) return {};
    std::multiset<uint64_t> told;
    std::vector<FrameResult> results =
        (*sequence)->Run([&told](const FrameResult& result) { told.insert(result.number); });
    EXPECT_EQ(std::vector<uint64_t>(told.begin(), told.end()), (*sequence)->frames());
    return results;
  }

  std::string ReasonOfCreate(const SequenceRequest& request) {
    return ErrorReason(Sequence::Create(client_.get(), request).status());
  }
};

TEST_F(SequenceTest, RendersTheFramesThatExistInOrder) {
  SequenceRequest request = Frames();
  request.in_flight = 1;
  const std::vector<FrameResult> results = Run(request);
  std::vector<std::string> outputs;
  for (const FrameResult& result : results) {
    EXPECT_TRUE(result.status.ok()) << result.status;
    outputs.push_back(result.output);
  }
  EXPECT_THAT(outputs, ElementsAre(Path("out_01.tif"), Path("out_02.tif"), Path("out_03.tif"),
                                   Path("out_05.tif")));
  const FakeLog log = fake_.log();
  ASSERT_EQ(log.jobs.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(log.jobs[i].render().output(), absl::StrCat("file://", outputs[i]));
    EXPECT_EQ(log.jobs[i].render().stages(0).model(), "double");
  }
}

TEST_F(SequenceTest, AMissingFrameDoesNotKeepTheOthersBack) {
  SequenceRequest request = Frames();
  request.first = 2;
  request.last = 5;
  const std::vector<FrameResult> results = Run(request);
  ASSERT_EQ(results.size(), 4u);
  for (const FrameResult& result : results) {
    EXPECT_EQ(ErrorReason(result.status), result.number == 4 ? "INPUT_MISSING" : "")
        << result.number;
    EXPECT_EQ(result.job.has_value(), result.number != 4);
  }
}

TEST_F(SequenceTest, AFailedJobIsItsFramesAlone) {
  v1::Job failed = Ended(v1::Job::STATE_FAILED);
  failed.mutable_error()->set_code(3);
  failed.mutable_error()->set_message("the picture is damaged");
  Script({.watches = {{.jobs = {failed}}, {.jobs = {Ended(v1::Job::STATE_SUCCEEDED)}}}});
  SequenceRequest request = Frames();
  request.in_flight = 1;
  const std::vector<FrameResult> results = Run(request);
  ASSERT_EQ(results.size(), 4u);
  EXPECT_EQ(results[0].status, absl::InvalidArgumentError("the picture is damaged"));
  for (size_t i = 1; i < 4; ++i) EXPECT_TRUE(results[i].status.ok()) << results[i].status;
}

TEST_F(SequenceTest, SkipsWhatIsThereWhenAsked) {
  Write("out_02.tif", "from an earlier run");
  SequenceRequest request = Frames();
  EXPECT_EQ(ErrorReason(Run(request)[1].status), "OUTPUT_EXISTS");
  request.skip_existing = true;
  const std::vector<FrameResult> results = Run(request);
  EXPECT_TRUE(results[1].skipped);
  EXPECT_TRUE(results[1].status.ok());
  EXPECT_FALSE(results[0].skipped);
}

TEST_F(SequenceTest, CancelEndsWhatIsUnderWayAndBeginsNothingElse) {
  Script({.watches = {{.hold = true}}});
  auto sequence = Sequence::Create(client_.get(), Frames());
  ASSERT_TRUE(sequence.ok()) << sequence.status();
  std::thread cancel([&] {
    // Both frames in flight are watched.
    while (fake_.log().watches < 2) absl::SleepFor(absl::Milliseconds(5));
    (*sequence)->Cancel();
  });
  const std::vector<FrameResult> results = (*sequence)->Run([](const FrameResult&) {});
  cancel.join();
  EXPECT_EQ(fake_.log().jobs.size(), 2u);
  for (const FrameResult& result : results) {
    EXPECT_EQ(result.status.code(), absl::StatusCode::kCancelled) << result.number;
    EXPECT_EQ(result.job.has_value(), result.number <= 2);
  }
}

TEST_F(SequenceTest, WaitsForItsOwnJobsWhenThereAreTooMany) {
  Script({.open_jobs_max = 1, .watch_when_crowded = true});
  SequenceRequest request = Frames();
  request.in_flight = 4;
  for (const FrameResult& result : Run(request)) {
    EXPECT_TRUE(result.status.ok()) << result.number << " " << result.status;
  }
  EXPECT_GT(fake_.log().crowded_creates, 0);
}

TEST_F(SequenceTest, StopsWhenTheCoordinatorIsGone) {
  ClientOptions options = Options();
  options.retry_for = absl::Milliseconds(50);
  auto client = Client::Connect(options);
  ASSERT_TRUE(client.ok()) << client.status();
  client_ = *std::move(client);
  Script({.create_status = grpc::Status(grpc::StatusCode::UNAVAILABLE, "going down")});
  SequenceRequest request = Frames();
  request.in_flight = 1;
  const std::vector<FrameResult> results = Run(request);
  EXPECT_EQ(results[0].status.code(), absl::StatusCode::kUnavailable);
  for (size_t i = 1; i < results.size(); ++i) {
    EXPECT_EQ(results[i].status.code(), absl::StatusCode::kCancelled);
  }
}

TEST_F(SequenceTest, RendersThePagesOfOneFile) {
  Write("scan.tif", "pages");
  Write("out_00.tif", "from an earlier run");
  Script({.input_pages = 3});
  SequenceRequest request = Frames();
  request.frame.input = Path("scan.tif");
  request.frame.mask = Path("in_%d.png");
  request.in_flight = 1;
  request.skip_existing = true;
  const std::vector<FrameResult> results = Run(request);
  ASSERT_EQ(results.size(), 3u);
  EXPECT_TRUE(results[0].skipped);  // which does not keep its pages from being counted
  const FakeLog log = fake_.log();
  ASSERT_EQ(log.jobs.size(), 3u);
  EXPECT_TRUE(log.jobs[0].dry_run());
  EXPECT_EQ(log.jobs[0].render().mask(), "");
  for (const size_t page : {1u, 2u}) {
    const v1::RenderRequest& render = log.jobs[page].render();
    EXPECT_FALSE(log.jobs[page].dry_run());
    EXPECT_EQ(render.input(), absl::StrCat("file://", Path("scan.tif")));
    EXPECT_EQ(render.input_page(), page);
    EXPECT_EQ(render.mask(), absl::StrCat("file://", Path(absl::StrCat("in_", page, ".png"))));
    EXPECT_EQ(render.output(), absl::StrCat("file://", Path(absl::StrCat("out_0", page, ".tif"))));
  }
  request.first = 1;
  request.last = 1;
  EXPECT_EQ(Run(request).size(), 1u);
}

TEST_F(SequenceTest, CountsPagesForAModelThatTakesAMask) {
  Write("scan.tif", "pages");
  Script({.input_pages = 6, .mask_wanted = true});
  SequenceRequest request = Frames();
  request.frame.input = Path("scan.tif");
  request.first = 2;
  request.last = 3;
  EXPECT_EQ(ReasonOfCreate(request), "MASK_MISSING");
  request.frame.mask = Path("in_%d.png");
  EXPECT_EQ(Run(request).size(), 2u);
  const v1::CreateJobRequest planned = fake_.log().jobs[0];
  EXPECT_TRUE(planned.dry_run());
  EXPECT_EQ(planned.render().mask(), absl::StrCat("file://", Path("in_2.png")));
  EXPECT_EQ(planned.render().input_page(), 2u);
}

TEST_F(SequenceTest, UploadsOneFileForEachOfItsPages) {
  Script({.share_input = false, .input_pages = 3});
  SequenceRequest request = Frames();
  request.frame.input = Path("in_1.png");
  request.first = 1;
  request.last = 2;
  for (const FrameResult& result : Run(request)) EXPECT_TRUE(result.status.ok()) << result.status;
  EXPECT_THAT(fake_.log().upload_pages, testing::UnorderedElementsAre(0u, 1u, 2u))
      << "the first to count them";
}

TEST_F(SequenceTest, RefusesPagesThatAreNotThere) {
  Script({.input_pages = 3});
  SequenceRequest request = Frames();
  request.frame.input = Path("in_1.png");
  EXPECT_EQ(ReasonOfCreate(request), "");
  request.first = 2;
  request.last = 3;
  EXPECT_EQ(ReasonOfCreate(request), "NO_SUCH_PAGE");
  request.last = 2;
  EXPECT_EQ(ReasonOfCreate(request), "");
  request.frame.page = 1;
  EXPECT_EQ(ReasonOfCreate(request), "BAD_REQUEST");
  request = Frames();
  request.frame.input = Path("in_1.png");
  Script({.input_pages = 1});
  EXPECT_EQ(ReasonOfCreate(request), "BAD_PATTERN");
  Script({});  // an older coordinator does not say
  EXPECT_EQ(ReasonOfCreate(request), "BAD_PATTERN");
  request.frame.input = Path("in_4.png");
  EXPECT_EQ(ReasonOfCreate(request), "INPUT_MISSING");
}

TEST_F(SequenceTest, FeedsBackTheNearestOutputBefore) {
  v1::Job failed = Ended(v1::Job::STATE_FAILED);
  failed.mutable_error()->set_code(3);
  const FakeWatch done = {.jobs = {Ended(v1::Job::STATE_SUCCEEDED)}};
  Script({.watches = {done, {.jobs = {failed}}, done}});
  Write("out_01.tif", "from an earlier run");
  Write("in_7.png", "a picture");
  SequenceRequest request = Frames();
  request.skip_existing = true;
  request.feed_back = true;
  request.frame.previous = Path("in_1.png");
  auto sequence = Sequence::Create(client_.get(), request);
  ASSERT_TRUE(sequence.ok()) << sequence.status();
  const auto results = (*sequence)->Run([this](const FrameResult& result) {
    if (result.status.ok()) Write(absl::StrCat("out_0", result.number, ".tif"), "made");
  });
  // 1 exists, 3 fails.
  std::vector<std::string> previous;
  for (const auto& job : fake_.log().jobs) previous.push_back(job.render().previous());
  const auto uri = [this](const std::string& name) { return absl::StrCat("file://", Path(name)); };
  EXPECT_THAT(previous, ElementsAre(uri("out_01.tif"), uri("out_02.tif"), uri("out_02.tif"),
                                    uri("out_05.tif")));
  EXPECT_TRUE(fake_.log().jobs[0].render().has_previous_facts());
  for (const FrameResult& result : results) EXPECT_EQ(result.status.ok(), result.number != 3);
}

TEST_F(SequenceTest, GivesAllFramesOnePreviousWithoutFeedBack) {
  SequenceRequest request = Frames();
  request.frame.previous = Path("in_1.png");
  for (const FrameResult& result : Run(request)) EXPECT_TRUE(result.status.ok());
  for (const auto& job : fake_.log().jobs) {
    EXPECT_EQ(job.render().previous(), absl::StrCat("file://", Path("in_1.png")));
  }
}

TEST_F(SequenceTest, RefusesWhatMakesNoSense) {
  const auto with = [this](auto change) {
    SequenceRequest request = Frames();
    change(request);
    return ReasonOfCreate(request);
  };
  EXPECT_EQ(with([](auto&) {}), "");
  EXPECT_EQ(with([](auto& request) { request.frame.output = "one.tif"; }), "BAD_PATTERN");
  EXPECT_EQ(with([](auto& request) { request.frame.input = "in_%s.png"; }), "BAD_PATTERN");
  EXPECT_EQ(with([](auto& request) { request.in_flight = 0; }), "BAD_REQUEST");
  EXPECT_EQ(with([](auto& request) { request.in_flight = 65; }), "BAD_REQUEST");
  EXPECT_EQ(with([](auto& request) { request.first = 3; }), "BAD_REQUEST");
  EXPECT_EQ(with([](auto& request) {
              request.first = 3;
              request.last = 2;
            }),
            "BAD_REQUEST");
  EXPECT_EQ(with([](auto& request) {
              request.first = 0;
              request.last = ~uint64_t{0};
            }),
            "TOO_MANY_FRAMES");
  EXPECT_EQ(with([](auto& request) { request.frame.request_id = "a"; }), "BAD_REQUEST");
  EXPECT_EQ(with([](auto& request) { request.frame.overwrite = request.skip_existing = true; }),
            "BAD_REQUEST");
}

}  // namespace
}  // namespace tilewright
