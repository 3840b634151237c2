#include "tests/worker/link/link_fixture.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/wire/model_digest.h"
#include "tests/worker/link/tiles.h"

namespace tilewright {

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

std::string Inverted(uint64_t index) {
  std::string text;
  for (std::byte b : TestSamples(index)) text.push_back(static_cast<char>(~b));
  return text;
}

absl::Status FakeExecutor::Prepare(const v1::StageSpec&, const LocalModel&,
                                   const std::function<void(std::string)>& progress) {
  progress("compiling");
  return absl::OkStatus();
}

InFlight<Executor::Outcomes> FakeExecutor::Begin(const v1::StageSpec&,
                                                 std::vector<TileTask> tasks) {
  begun += static_cast<int>(tasks.size());
  return InFlight<Outcomes>(
      [this, tasks = std::move(tasks)]() mutable { return Compute(std::move(tasks)); }, overlaps);
}

Executor::Outcomes FakeExecutor::Compute(std::vector<TileTask> tasks) {
  std::vector<TileOutcome> outcomes;
  for (TileTask& task : tasks) {
    ++entered;
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&open_));
    visit(task.index);
    TileOutcome outcome;
    outcome.index = task.index;
    outcome.cost.set_batch(static_cast<uint32_t>(tasks.size()));
    outcome.samples = task.TakeMemory(task.samples.size());
    if (failures.contains(task.index)) {
      outcome.samples = failures[task.index];
    } else {
      std::ranges::transform(task.samples, outcome.samples->bytes().begin(),
                             [](std::byte sample) { return ~sample; });
    }
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

absl::StatusOr<Executor::CanaryOutcome> FakeExecutor::RunCanary(const v1::StageSpec&,
                                                                uint64_t seed) {
  if (seed == 13) return EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY, "no memory", 77);
  return CanaryOutcome{absl::StrCat("digest", seed), 0.25, {0.5f, -2}};
}

void FakeExecutor::SetOpen(bool value) {
  absl::MutexLock lock(&mutex_);
  open_ = value;
}

std::string NameOf(const testing::TestParamInfo<LinkTransport>& instance) {
  return instance.param == LinkTransport::kInline ? "Inline" : "Segment";
}

INSTANTIATE_TEST_SUITE_P(Transports, WorkerLinkTest, testing::ValuesIn(kLinkTransports), NameOf);

void WorkerLinkTest::SetUp() {
  coordinator_.ShareMemory(GetParam() == LinkTransport::kSegment);
  cache_ = testing::TempDir() + "worker_link_test_cache";
  std::filesystem::remove_all(cache_);
  coordinator_.AddModel(digest_, ModelFiles());
}

void WorkerLinkTest::TearDown() {
  executor_.SetOpen(true);
  StopLink().IgnoreError();  // tests that care have asked before
  const bool sliced = GetParam() == LinkTransport::kSegment && !coordinator_.Results().empty();
  EXPECT_EQ(coordinator_.slices() > 0, sliced) << coordinator_.slices() << " in shared memory";
  std::filesystem::remove_all(cache_);
}

void WorkerLinkTest::StartLink(const std::string& faults, absl::Duration stop_timeout,
                               absl::Duration drain_timeout) {
  LinkOptions options;
  options.coordinator = coordinator_.address();
  options.worker = "left";
  options.take_measured = [this](v1::Capabilities* known) {
    return measurements_.TakeChanges(known);
  };
  options.incarnation = "first";
  options.build = "test";
  options.capabilities.set_device_kind("cpu");
  options.cache_folder = cache_;
  options.cache_bytes = cache_bytes_;
  options.backoff.first = absl::Milliseconds(20);
  options.faults = FaultInjection::Parse(faults).value();
  options.stop_timeout = stop_timeout;
  options.drain_timeout = drain_timeout;
  link_ = WorkerLink::Create(std::move(options), &executor_).value();
  thread_ = std::thread([this] {
    status_ = link_->Run();
    ended_ = true;
  });
}

absl::Status WorkerLinkTest::StopLink() {
  if (!thread_.joinable()) return status_;
  link_->Stop();
  thread_.join();
  link_.reset();
  return status_;
}

void WorkerLinkTest::AwaitSession(size_t number) {
  ASSERT_TRUE(coordinator_.Await([&] {
    return coordinator_.Events(v1::WorkerEvent::kSync).size() >= number;
  })) << "the worker never said what it holds";
}

v1::Lease WorkerLinkTest::Lease(uint64_t sequence, const std::vector<uint64_t>& tiles,
                                uint64_t epoch) {
  return TestLease({epoch, sequence}, tiles, /*batch=*/1, digest_);
}

void WorkerLinkTest::SendInput(uint64_t sequence, uint64_t index, uint64_t epoch) {
  const std::vector<std::byte> samples = TestSamples(index);
  coordinator_.SendInput(
      TestInputHeader({epoch, sequence}, index),
      std::string(reinterpret_cast<const char*>(samples.data()), samples.size()));
}

::testing::AssertionResult WorkerLinkTest::AwaitResults(size_t count) {
  if (coordinator_.Await([&] { return coordinator_.Results().size() >= count; })) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure()
         << coordinator_.Results().size() << " results of " << count << " came";
}

v1::WorkerEvent WorkerLinkTest::AwaitEvent(v1::WorkerEvent::EventCase kind) {
  EXPECT_TRUE(coordinator_.Await([&] { return !coordinator_.Events(kind).empty(); }))
      << "no event " << kind;
  const auto events = coordinator_.Events(kind);
  return events.empty() ? v1::WorkerEvent() : events.front();
}

v1::WorkerSync WorkerLinkTest::AskSync() {
  const size_t before = coordinator_.Events(v1::WorkerEvent::kSync).size();
  v1::CoordinatorEvent event;
  event.mutable_sync();
  coordinator_.Send(event);
  EXPECT_TRUE(coordinator_.Await(
      [&] { return coordinator_.Events(v1::WorkerEvent::kSync).size() > before; }));
  return coordinator_.Events(v1::WorkerEvent::kSync).back().sync();
}

::testing::AssertionResult WorkerLinkTest::AwaitIdle() {
  for (int i = 0; i < 500; ++i) {
    if (AskSync().held_size() == 0) return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure() << "it still holds a lease";
}

}  // namespace tilewright
