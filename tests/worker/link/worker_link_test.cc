// The link against a coordinator of generated code on real loopback connections.

#include "worker/link/worker_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "proto/wire/checksum.h"
#include "proto/wire/model_digest.h"
#include "tests/worker/link/fake_coordinator.h"
#include "tests/worker/link/tiles.h"

namespace tilewright {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::map<std::string, std::string>& ModelFiles() {
  static const auto* const files = new std::map<std::string, std::string>{
      {"manifest.textproto",
       "engine: \"builtin\"\nentry: \"identity\"\noutputs { name: \"out\" }\n"},
      {"weights.bin", std::string(100000, 'w')}};
  return *files;
}

std::string DigestOf(const std::map<std::string, std::string>& files) {
  ModelDigest digest;
  for (const auto& [name, contents] : files) digest.AddFile(name, contents);
  return digest.Finish();
}

// Inverts every sample. Tiles can be made to fail or to wait in the engine.
class FakeExecutor : public Executor {
 public:
  absl::Status Prepare(const v1::StageSpec&, const LocalModel&,
                       const std::function<void(std::string)>& progress) override {
    progress("compiling");
    return absl::OkStatus();
  }
  std::vector<TileOutcome> Execute(const v1::StageSpec&, std::vector<TileTask> tasks) override {
    std::vector<TileOutcome> outcomes;
    for (TileTask& task : tasks) {
      ++entered;
      absl::MutexLock lock(&mutex);
      mutex.Await(absl::Condition(&open));
      TileOutcome outcome;
      outcome.index = task.index;
      outcome.cost.set_batch(static_cast<uint32_t>(tasks.size()));
      if (failures.contains(task.index)) {
        outcome.samples = failures[task.index];
      } else {
        for (std::byte& sample : task.samples) sample = ~sample;
        outcome.samples = std::move(task.samples);
      }
      outcomes.push_back(std::move(outcome));
    }
    return outcomes;
  }
  absl::StatusOr<CanaryOutcome> RunCanary(const v1::StageSpec&, uint64_t seed) override {
    if (seed == 13) return EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY, "no memory", 77);
    return CanaryOutcome{absl::StrCat("digest", seed), 0.25};
  }

  void SetOpen(bool value) {
    absl::MutexLock lock(&mutex);
    open = value;
  }

  std::atomic<int> entered = 0;
  absl::Mutex mutex;
  bool open = true;
  std::map<uint64_t, absl::Status> failures;
};

std::string Inverted(uint64_t index) {
  std::string text;
  for (std::byte b : TestSamples(index)) text.push_back(static_cast<char>(~b));
  return text;
}

class WorkerLinkTest : public testing::Test {
 protected:
  void SetUp() override {
    cache_ = testing::TempDir() + "worker_link_test_cache";
    std::filesystem::remove_all(cache_);
    coordinator_.AddModel(digest_, ModelFiles());
  }
  void TearDown() override {
    executor_.SetOpen(true);
    StopLink().IgnoreError();  // tests that care have asked before
    std::filesystem::remove_all(cache_);
  }

  void StartLink(const std::string& faults = "", absl::Duration drain = absl::Seconds(2)) {
    LinkOptions options;
    options.coordinator = coordinator_.address();
    options.worker = "left";
    options.incarnation = "first";
    options.build = "test";
    options.capabilities.set_device_kind("cpu");
    options.cache_folder = cache_;
    options.backoff.first = absl::Milliseconds(20);
    options.faults = FaultInjection::Parse(faults).value();
    options.drain = drain;
    link_ = WorkerLink::Create(std::move(options), &executor_).value();
    thread_ = std::thread([this] {
      status_ = link_->Run();
      ended_ = true;
    });
  }
  // Stops the link and returns what Run returned.
  absl::Status StopLink() {
    if (!thread_.joinable()) return status_;
    link_->Stop();
    thread_.join();
    link_.reset();
    return status_;
  }
  // Waits for the sync that opens the `number`th session.
  void AwaitSession(size_t number = 1) {
    ASSERT_TRUE(coordinator_.Await([&] {
      return coordinator_.Events(v1::WorkerEvent::kSync).size() >= number;
    })) << "the worker never said what it holds";
  }
  v1::Lease Lease(uint64_t sequence, const std::vector<uint64_t>& tiles, uint64_t epoch = 1) {
    return TestLease({epoch, sequence}, tiles, /*batch=*/1, digest_);
  }
  void SendInput(uint64_t sequence, uint64_t index, uint64_t epoch = 1) {
    const std::vector<std::byte> samples = TestSamples(index);
    coordinator_.SendInput(
        TestInputHeader({epoch, sequence}, index),
        std::string(reinterpret_cast<const char*>(samples.data()), samples.size()));
  }
  ::testing::AssertionResult AwaitResults(size_t count) {
    if (coordinator_.Await([&] { return coordinator_.Results().size() >= count; })) {
      return ::testing::AssertionSuccess();
    }
    return ::testing::AssertionFailure()
           << coordinator_.Results().size() << " results of " << count << " came";
  }
  // Waits for an event of that kind and returns the first.
  v1::WorkerEvent AwaitEvent(v1::WorkerEvent::EventCase kind) {
    EXPECT_TRUE(coordinator_.Await([&] { return !coordinator_.Events(kind).empty(); }))
        << "no event " << kind;
    const auto events = coordinator_.Events(kind);
    return events.empty() ? v1::WorkerEvent() : events.front();
  }
  // Asks for a sync and returns it.
  v1::WorkerSync AskSync() {
    const size_t before = coordinator_.Events(v1::WorkerEvent::kSync).size();
    v1::CoordinatorEvent event;
    event.mutable_sync();
    coordinator_.Send(event);
    EXPECT_TRUE(coordinator_.Await(
        [&] { return coordinator_.Events(v1::WorkerEvent::kSync).size() > before; }));
    return coordinator_.Events(v1::WorkerEvent::kSync).back().sync();
  }
  // Waits until the worker holds nothing.
  ::testing::AssertionResult AwaitIdle() {
    for (int i = 0; i < 500; ++i) {
      if (AskSync().held_size() == 0) return ::testing::AssertionSuccess();
    }
    return ::testing::AssertionFailure() << "it still holds a lease";
  }

  const std::string digest_ = DigestOf(ModelFiles());
  FakeCoordinator coordinator_;
  FakeExecutor executor_;
  std::string cache_;
  std::unique_ptr<WorkerLink> link_;
  std::thread thread_;
  absl::Status status_;
  std::atomic<bool> ended_ = false;
};

TEST_F(WorkerLinkTest, ServesALeaseFromHelloToVerdict) {
  StartLink();
  AwaitSession();
  const v1::Hello hello = AwaitEvent(v1::WorkerEvent::kHello).hello();
  EXPECT_EQ(hello.protocol().major(), 1u);
  EXPECT_EQ(hello.worker(), "left");
  EXPECT_EQ(hello.incarnation(), "first");
  EXPECT_EQ(hello.credits().tiles(), 2048u);
  EXPECT_FALSE(hello.host_id().empty());

  coordinator_.Grant(Lease(1, {5, 6}));
  SendInput(1, 5);
  SendInput(1, 6);
  ASSERT_TRUE(AwaitResults(2));
  const FakeCoordinator::Result result = coordinator_.Results()[0];
  EXPECT_EQ(result.header.tile().job(), "jobs/test");
  EXPECT_EQ(result.header.tile().index(), 5u);
  EXPECT_EQ(result.header.lease().sequence(), 1u);
  EXPECT_EQ(result.header.worker(), "left");
  EXPECT_EQ(result.header.incarnation(), "first");
  EXPECT_EQ(result.header.plan_digest(), "0123456789abcdef");
  EXPECT_EQ(result.header.model_digest(), digest_);
  EXPECT_EQ(result.header.numeric_class(), "");
  ASSERT_EQ(result.header.tensors_size(), 1);
  EXPECT_EQ(result.header.tensors(0).name(), "out");
  EXPECT_EQ(result.header.tensors(0).rect().x(), 50);
  EXPECT_EQ(result.header.tensors(0).inline_().bytes(), kTestTileBytes);
  EXPECT_EQ(result.payload, Inverted(5));
  EXPECT_EQ(result.header.checksum(),
            Checksum(absl::MakeConstSpan(reinterpret_cast<const std::byte*>(result.payload.data()),
                                         result.payload.size())));
  EXPECT_TRUE(AwaitIdle()) << "verdicts free the copies";

  std::vector<v1::WorkerEvent::EventCase> order;
  for (const v1::WorkerEvent& event : coordinator_.Events()) {
    const auto kind = event.event_case();
    if (kind == v1::WorkerEvent::kHeartbeat || kind == v1::WorkerEvent::kSync) continue;
    if (order.empty() || order.back() != kind) order.push_back(kind);
  }
  EXPECT_THAT(order, ElementsAre(v1::WorkerEvent::kHello, v1::WorkerEvent::kPreparing,
                                 v1::WorkerEvent::kStarted));
  const auto preparing = coordinator_.Events(v1::WorkerEvent::kPreparing);
  for (size_t i = 1; i < preparing.size(); ++i) {
    EXPECT_GT(preparing[i].preparing().progress(), preparing[i - 1].preparing().progress());
  }
  EXPECT_TRUE(StopLink().ok());
}

TEST_F(WorkerLinkTest, FetchesAModelOnceAndFindsItAgainInAnotherLife) {
  for (int life = 0; life < 2; ++life) {
    StartLink();
    AwaitSession(static_cast<size_t>(life) + 1);
    for (uint64_t sequence : {1, 2}) {
      coordinator_.Grant(Lease(sequence, {sequence}, static_cast<uint64_t>(life) + 1));
      SendInput(sequence, sequence, static_cast<uint64_t>(life) + 1);
    }
    ASSERT_TRUE(AwaitResults(static_cast<size_t>(life) * 2 + 2));
    EXPECT_TRUE(StopLink().ok());
    coordinator_.SetEpoch(2);
  }
  EXPECT_EQ(coordinator_.fetches(), 1);
  EXPECT_THAT(
      coordinator_.Events(v1::WorkerEvent::kHello).back().hello().capabilities().cached_models(),
      ElementsAre(digest_));
}

TEST_F(WorkerLinkTest, AModelOfAnotherDigestIsNeverUsed) {
  auto files = ModelFiles();
  files["weights.bin"][7] = 'x';
  coordinator_.AddModel(digest_, files);
  StartLink();
  AwaitSession();
  coordinator_.Grant(Lease(1, {5, 6}));
  SendInput(1, 5);
  AwaitEvent(v1::WorkerEvent::kFailed);
  const auto failed = coordinator_.Events(v1::WorkerEvent::kFailed);
  ASSERT_EQ(failed.size(), 2u) << "one for each tile";
  EXPECT_EQ(failed[0].failed().cause(), v1::FAILURE_CAUSE_MODEL_ERROR);
  EXPECT_EQ(failed[0].failed().text(), absl::StrCat("the coordinator sent a model with the digest ",
                                                    DigestOf(files), " instead of ", digest_));
  EXPECT_TRUE(AwaitIdle());
  EXPECT_FALSE(std::filesystem::exists(cache_ + "/models/" + digest_));
  EXPECT_TRUE(std::filesystem::is_empty(cache_ + "/models")) << "no partial folder stays";
  coordinator_.AddModel(digest_, ModelFiles());
  coordinator_.Grant(Lease(2, {5}));
  SendInput(2, 5);
  EXPECT_TRUE(AwaitResults(1)) << "the right one is taken";
}

TEST_F(WorkerLinkTest, AModelsFileCannotLeaveTheCache) {
  coordinator_.AddModel(digest_, {{"../evil", "text"}});
  StartLink();
  AwaitSession();
  coordinator_.Grant(Lease(1, {5}));
  const v1::TileFailed failed = AwaitEvent(v1::WorkerEvent::kFailed).failed();
  EXPECT_THAT(failed.text(), HasSubstr("'../evil' may not be the name of a model's file"));
  EXPECT_FALSE(std::filesystem::exists(cache_ + "/models/evil"));
}

TEST_F(WorkerLinkTest, FailuresCarryTheirCause) {
  executor_.failures[5] = EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY, "too big", 1234);
  StartLink();
  AwaitSession();
  coordinator_.Grant(Lease(1, {5, 6}));
  SendInput(1, 5);
  SendInput(1, 6);
  const v1::TileFailed failed = AwaitEvent(v1::WorkerEvent::kFailed).failed();
  EXPECT_EQ(failed.index(), 5u);
  EXPECT_EQ(failed.cause(), v1::FAILURE_CAUSE_OUT_OF_MEMORY);
  EXPECT_EQ(failed.text(), "too big");
  EXPECT_EQ(failed.peak_bytes(), 1234u);
  EXPECT_EQ(failed.batch(), 1u);
  ASSERT_TRUE(AwaitResults(1)) << "the other tile goes on";
  EXPECT_EQ(coordinator_.Results()[0].header.tile().index(), 6u);
  EXPECT_TRUE(AwaitIdle());
}

TEST_F(WorkerLinkTest, ALostDeviceEndsTheWorkerAfterItWasReported) {
  executor_.failures[5] = EngineError(v1::FAILURE_CAUSE_DEVICE_LOST, "error 719");
  StartLink();
  AwaitSession();
  coordinator_.Grant(Lease(1, {5}));
  SendInput(1, 5);
  EXPECT_EQ(AwaitEvent(v1::WorkerEvent::kFailed).failed().cause(), v1::FAILURE_CAUSE_DEVICE_LOST);
  ASSERT_TRUE(coordinator_.Await([&] { return ended_.load(); }));
  EXPECT_EQ(StopLink().message(), "the device is lost: error 719");
}

TEST_F(WorkerLinkTest, ADamagedInputIsRefused) {
  StartLink();
  AwaitSession();
  coordinator_.Grant(Lease(1, {5}));
  coordinator_.SendInput(TestInputHeader({1, 1}, 5), "damaged!");
  const v1::TileFailed failed = AwaitEvent(v1::WorkerEvent::kFailed).failed();
  EXPECT_EQ(failed.cause(), v1::FAILURE_CAUSE_REFUSED);
  EXPECT_EQ(failed.text(), "the input of tile 5 was damaged on the way: wrong checksum");
}

TEST_F(WorkerLinkTest, TakenBackTilesAreNotComputed) {
  executor_.SetOpen(false);
  StartLink();
  AwaitSession();
  coordinator_.Grant(Lease(1, {1}));
  coordinator_.Grant(Lease(2, {2, 3}));
  SendInput(1, 1);
  SendInput(2, 2);
  SendInput(2, 3);
  ASSERT_TRUE(coordinator_.Await([&] { return executor_.entered == 1; }));
  coordinator_.TakeBack(Lease(2, {}).id(), {2});
  EXPECT_EQ(AwaitEvent(v1::WorkerEvent::kDropped).dropped().lease().sequence(), 2u);
  coordinator_.TakeBack(Lease(1, {}).id(), {});
  // A sync asked for later is answered later: so the take-back of the running tile is not answered.
  AskSync();
  EXPECT_EQ(coordinator_.Events(v1::WorkerEvent::kDropped).size(), 1u);
  executor_.SetOpen(true);
  ASSERT_TRUE(AwaitResults(1));
  EXPECT_TRUE(AwaitIdle());
  EXPECT_EQ(coordinator_.Events(v1::WorkerEvent::kDropped).size(), 2u);
  EXPECT_EQ(coordinator_.Results().size(), 1u);
  EXPECT_EQ(coordinator_.Results()[0].header.tile().index(), 3u);
}

TEST_F(WorkerLinkTest, ComesBackWithWhatRunsAndDeliversIt) {
  executor_.SetOpen(false);
  StartLink();
  AwaitSession();
  coordinator_.Grant(Lease(1, {5}));
  coordinator_.Grant(Lease(2, {6}));
  SendInput(1, 5);
  ASSERT_TRUE(coordinator_.Await([&] { return executor_.entered == 1; }));
  coordinator_.BreakControl(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the test broke it"));
  ASSERT_TRUE(coordinator_.Await([&] {
    return coordinator_.hellos() == 2 && coordinator_.Events(v1::WorkerEvent::kSync).size() == 2;
  }));
  EXPECT_EQ(coordinator_.Events(v1::WorkerEvent::kHello)[1].hello().incarnation(), "first");
  EXPECT_EQ(coordinator_.Events(v1::WorkerEvent::kHello)[1].hello().epoch_seen(), 1u);
  const v1::WorkerSync sync = coordinator_.Events(v1::WorkerEvent::kSync)[1].sync();
  EXPECT_EQ(sync.seen_grant_sequence(), 2u);
  ASSERT_EQ(sync.held_size(), 1) << "what had not started is given up";
  EXPECT_EQ(sync.held(0).state(), v1::HeldLease::STATE_RUNNING);
  EXPECT_THAT(sync.held(0).open_tiles(), ElementsAre(5));
  executor_.SetOpen(true);
  ASSERT_TRUE(AwaitResults(1));
  EXPECT_EQ(coordinator_.Results()[0].payload, Inverted(5));
  EXPECT_TRUE(AwaitIdle());
}

TEST_F(WorkerLinkTest, AnUnansweredResultIsSubmittedAgain) {
  StartLink();
  AwaitSession();
  coordinator_.BreakResults();
  coordinator_.Grant(Lease(1, {5}));
  SendInput(1, 5);
  ASSERT_TRUE(AwaitResults(2));
  const auto results = coordinator_.Results();
  EXPECT_EQ(results[0].stream, 1);
  EXPECT_EQ(results[1].stream, 2);
  EXPECT_EQ(results[1].payload, Inverted(5));
  EXPECT_EQ(results[1].header.SerializeAsString(), results[0].header.SerializeAsString());
  EXPECT_TRUE(AwaitIdle());
  EXPECT_EQ(coordinator_.hellos(), 1) << "the control stream was not touched";
}

TEST_F(WorkerLinkTest, OffersItsResultsToTheNextCoordinator) {
  coordinator_.SetEpoch(3);
  coordinator_.SetJudge([](const FakeCoordinator::Result&) { return std::nullopt; });
  StartLink();
  AwaitSession();
  coordinator_.Grant(Lease(1, {5, 6}, 3));
  SendInput(1, 5, 3);
  SendInput(1, 6, 3);
  ASSERT_TRUE(AwaitResults(2)) << "computed, and never answered";
  coordinator_.SetEpoch(4);
  coordinator_.BreakControl(grpc::Status(grpc::StatusCode::UNAVAILABLE, "it fell"));
  AwaitSession(2);
  const v1::WorkerSync sync = coordinator_.Events(v1::WorkerEvent::kSync)[1].sync();
  EXPECT_EQ(sync.seen_grant_sequence(), 0u);
  ASSERT_EQ(sync.held_size(), 1);
  const v1::HeldLease& held = sync.held(0);
  EXPECT_EQ(held.lease().epoch(), 3u);
  EXPECT_EQ(held.state(), v1::HeldLease::STATE_FINISHED);
  EXPECT_EQ(held.job(), "jobs/test");
  EXPECT_EQ(held.generation(), 1u);
  EXPECT_THAT(held.open_tiles(), ElementsAre(5, 6));
  ASSERT_EQ(held.results_size(), 2);
  EXPECT_EQ(held.results(1).index(), 6u);
  EXPECT_EQ(held.results(1).checksum(), coordinator_.Results()[1].header.checksum());

  // The stream of results breaks at its next message, that of a lease of the new epoch; on a fresh
  // one all three come.
  coordinator_.SetJudge(nullptr);
  coordinator_.BreakResults();
  coordinator_.Grant(Lease(1, {7}, 4));
  SendInput(1, 7, 4);
  ASSERT_TRUE(AwaitResults(6));
  std::vector<std::pair<uint64_t, uint64_t>> fresh;  // epoch and tile
  for (const FakeCoordinator::Result& result : coordinator_.Results()) {
    if (result.stream == 1) continue;
    fresh.emplace_back(result.header.lease().epoch(), result.header.tile().index());
  }
  EXPECT_THAT(fresh, ElementsAre(std::pair(3, 5), std::pair(3, 6), std::pair(4, 7)));
  EXPECT_TRUE(AwaitIdle());
}

TEST_F(WorkerLinkTest, DuplicatesAndRefusalsFreeTheCopyToo) {
  coordinator_.SetJudge([](const FakeCoordinator::Result& result) {
    return result.header.tile().index() == 5 ? v1::TileVerdict::VERDICT_DUPLICATE
                                             : v1::TileVerdict::VERDICT_REFUSED;
  });
  StartLink();
  AwaitSession();
  coordinator_.Grant(Lease(1, {5, 6}));
  SendInput(1, 5);
  SendInput(1, 6);
  ASSERT_TRUE(AwaitResults(2));
  EXPECT_TRUE(AwaitIdle());
}

TEST_F(WorkerLinkTest, AnOlderCoordinatorIsNotServed) {
  coordinator_.SetEpoch(7);
  StartLink();
  AwaitSession();
  coordinator_.SetEpoch(6);
  coordinator_.BreakControl(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the test broke it"));
  ASSERT_TRUE(coordinator_.Await([&] { return coordinator_.hellos() >= 3; })) << "it tries again";
  EXPECT_EQ(coordinator_.Events(v1::WorkerEvent::kSync).size(), 1u);
  coordinator_.SetEpoch(8);
  ASSERT_TRUE(coordinator_.Await([&] {
    return coordinator_.Events(v1::WorkerEvent::kSync).size() == 2;
  })) << "a newer one is served";
}

TEST_F(WorkerLinkTest, ARefusalIsFinal) {
  coordinator_.RefuseHellos(
      grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "worker speaks 1.0, coordinator 2.0"));
  StartLink();
  ASSERT_TRUE(coordinator_.Await([&] { return ended_.load(); }));
  const absl::Status status = StopLink();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), absl::StrCat("coordinator ", coordinator_.address(),
                                           " does not take this worker: worker speaks 1.0, "
                                           "coordinator 2.0"));
  EXPECT_EQ(coordinator_.hellos(), 1);
}

TEST_F(WorkerLinkTest, AProcessWhoseNameWasTakenOverEnds) {
  StartLink();
  AwaitSession();
  coordinator_.BreakControl(grpc::Status(grpc::StatusCode::ABORTED, "another took over"));
  ASSERT_TRUE(coordinator_.Await([&] { return ended_.load(); }));
  EXPECT_EQ(StopLink().code(), absl::StatusCode::kAborted);
}

TEST_F(WorkerLinkTest, ACanaryIsAnsweredAndItsDigestIsTheClass) {
  StartLink();
  AwaitSession();
  v1::CoordinatorEvent event;
  event.mutable_canary()->set_canary(9);
  event.mutable_canary()->set_seed(42);
  *event.mutable_canary()->mutable_stage() = TestStage(1, digest_);
  coordinator_.Send(event);
  const v1::CanaryResult result = AwaitEvent(v1::WorkerEvent::kCanary).canary();
  EXPECT_EQ(result.canary(), 9u);
  EXPECT_EQ(result.digest(), "digest42");
  EXPECT_EQ(result.seconds(), 0.25);
  coordinator_.Grant(Lease(1, {5}));
  SendInput(1, 5);
  ASSERT_TRUE(AwaitResults(1));
  EXPECT_EQ(coordinator_.Results()[0].header.numeric_class(), "digest42");

  event.mutable_canary()->set_canary(10);
  event.mutable_canary()->set_seed(13);
  coordinator_.Send(event);
  ASSERT_TRUE(coordinator_.Await(
      [&] { return coordinator_.Events(v1::WorkerEvent::kCanary).size() == 2; }));
  const v1::CanaryResult failed = coordinator_.Events(v1::WorkerEvent::kCanary)[1].canary();
  EXPECT_EQ(failed.digest(), "");
  EXPECT_EQ(failed.cause(), v1::FAILURE_CAUSE_OUT_OF_MEMORY);
  EXPECT_EQ(failed.text(), "no memory");
}

TEST_F(WorkerLinkTest, TheHeartBeatsWhileTheDeviceComputes) {
  executor_.SetOpen(false);
  StartLink();
  AwaitSession();
  coordinator_.Grant(Lease(1, {5}));
  SendInput(1, 5);
  ASSERT_TRUE(coordinator_.Await([&] { return executor_.entered == 1; }));
  const size_t before = coordinator_.Events(v1::WorkerEvent::kHeartbeat).size();
  EXPECT_TRUE(coordinator_.Await(
      [&] { return coordinator_.Events(v1::WorkerEvent::kHeartbeat).size() >= before + 5; }));
}

TEST_F(WorkerLinkTest, StopDeliversWhatComesOutInTimeAndLeavesTheRest) {
  executor_.SetOpen(false);
  StartLink("", absl::Milliseconds(300));
  AwaitSession();
  coordinator_.Grant(Lease(1, {5}));
  SendInput(1, 5);
  ASSERT_TRUE(coordinator_.Await([&] { return executor_.entered == 1; }));
  link_->Stop();
  ASSERT_TRUE(coordinator_.Await([&] { return ended_.load(); }));
  EXPECT_TRUE(link_->computing()) << "its batch has not come out";
  executor_.SetOpen(true);
  EXPECT_TRUE(StopLink().ok());

  executor_.SetOpen(false);
  coordinator_.SetEpoch(2);
  ended_ = false;
  StartLink();
  AwaitSession(2);
  coordinator_.Grant(Lease(1, {6}, 2));
  SendInput(1, 6, 2);
  ASSERT_TRUE(coordinator_.Await([&] { return executor_.entered == 2; }));
  link_->Stop();
  executor_.SetOpen(true);
  EXPECT_TRUE(StopLink().ok());
  ASSERT_EQ(coordinator_.Results().size(), 1u);
  EXPECT_EQ(coordinator_.Results()[0].header.tile().index(), 6u);
}

TEST_F(WorkerLinkTest, ManyTilesFlowInOrderOfTheirLeases) {
  StartLink();
  AwaitSession();
  constexpr uint64_t kTiles = 500;
  std::vector<uint64_t> tiles;
  for (uint64_t i = 0; i < kTiles; ++i) tiles.push_back(i);
  coordinator_.Grant(Lease(1, tiles));
  for (uint64_t i = 0; i < kTiles; ++i) SendInput(1, i);
  ASSERT_TRUE(AwaitResults(kTiles));
  const auto results = coordinator_.Results();
  for (uint64_t i = 0; i < kTiles; ++i) {
    ASSERT_EQ(results[i].header.tile().index(), i);
    ASSERT_EQ(results[i].payload, Inverted(i));
  }
  EXPECT_TRUE(AwaitIdle());
  EXPECT_EQ(coordinator_.Events(v1::WorkerEvent::kStarted).size(), 1u);
}

TEST_F(WorkerLinkTest, TheFaultForTestsDamagesExactlyTheResultAskedFor) {
  StartLink("corrupt-checksum:2");
  AwaitSession();
  coordinator_.Grant(Lease(1, {1, 2, 3}));
  for (uint64_t i = 1; i <= 3; ++i) SendInput(1, i);
  ASSERT_TRUE(AwaitResults(3));
  const auto results = coordinator_.Results();
  EXPECT_EQ(results[0].payload, Inverted(1));
  EXPECT_NE(results[1].payload, Inverted(2));
  EXPECT_EQ(results[2].payload, Inverted(3));
}

TEST(FaultInjection, UnknownWordsAreRefused) {
  EXPECT_FALSE(FaultInjection::Parse("").value().any());
  EXPECT_TRUE(FaultInjection::Parse("slow:5").value().any());
  for (const char* text : {"slow", "slow:", "corrupt-checksum:0", "explode:1"}) {
    const absl::Status status = FaultInjection::Parse(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }
}

TEST(Backoff, DoublesToItsLimitWithJitterBelow) {
  double random = 1.0;
  Backoff backoff({absl::Milliseconds(200), absl::Seconds(1)}, [&random] { return random; });
  EXPECT_EQ(backoff.Next(), absl::Milliseconds(200));
  EXPECT_EQ(backoff.Next(), absl::Milliseconds(400));
  random = 0;
  EXPECT_EQ(backoff.Next(), absl::Milliseconds(400)) << "half of 800";
  random = 1;
  EXPECT_EQ(backoff.Next(), absl::Seconds(1));
  EXPECT_EQ(backoff.Next(), absl::Seconds(1));
  backoff.Reset();
  EXPECT_EQ(backoff.Next(), absl::Milliseconds(200));
}

}  // namespace
}  // namespace tilewright
