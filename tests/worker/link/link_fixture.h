// The worker's link against a coordinator of generated code on real loopback connections: what all
// tests of the link start from. One thread, the test's; the link has its own.

#ifndef TILEWRIGHT_TESTS_WORKER_LINK_LINK_FIXTURE_H_
#define TILEWRIGHT_TESTS_WORKER_LINK_LINK_FIXTURE_H_

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "tests/worker/link/fake_coordinator.h"
#include "worker/engine/measurements.h"
#include "worker/link/worker_link.h"

namespace tilewright {

// The files of a small model, and the digest of such files.
const std::map<std::string, std::string>& ModelFiles();
std::string DigestOf(const std::map<std::string, std::string>& files);

// What FakeExecutor makes of the input of that tile.
std::string Inverted(uint64_t index);

// Inverts every sample. Tiles can be made to fail or to wait in the engine. Thread-safe but for
// `failures` and `visit`, which are set before the link starts.
class FakeExecutor : public Executor {
 public:
  absl::Status Prepare(const v1::StageSpec&, const LocalModel&,
                       const std::function<void(std::string)>& progress) override;
  InFlight<Outcomes> Begin(const v1::StageSpec&, std::vector<TileTask> tasks) override;
  // Seed 13 runs out of memory.
  absl::StatusOr<CanaryOutcome> RunCanary(const v1::StageSpec&, uint64_t seed) override;

  // Closed: tiles wait in the engine until it is open again.
  void SetOpen(bool value);

  std::atomic<int> begun = 0;    // tiles that have reached the engine
  std::atomic<int> entered = 0;  // tiles that it computes, or has
  // Whether it goes on by itself. Set before the link starts.
  bool overlaps = false;
  std::map<uint64_t, absl::Status> failures;
  std::function<void(uint64_t index)> visit = [](uint64_t) {};  // called in the engine

 private:
  Outcomes Compute(std::vector<TileTask> tasks);

  absl::Mutex mutex_;
  bool open_ ABSL_GUARDED_BY(mutex_) = true;
};

// Each test runs with payloads inline and in shared memory.
enum class LinkTransport { kInline, kSegment };
inline constexpr LinkTransport kLinkTransports[] = {LinkTransport::kInline,
                                                    LinkTransport::kSegment};
std::string NameOf(const testing::TestParamInfo<LinkTransport>& instance);

class WorkerLinkTest : public testing::TestWithParam<LinkTransport> {
 protected:
  void SetUp() override;
  // Besides, payloads must have travelled as they should.
  void TearDown() override;

  void StartLink(const std::string& faults = "", absl::Duration stop_timeout = absl::Seconds(2),
                 absl::Duration drain_timeout = absl::Seconds(20));
  // Stops the link and returns what Run returned.
  absl::Status StopLink();
  // Waits for the sync that opens the `number`th session.
  void AwaitSession(size_t number = 1);
  v1::Lease Lease(uint64_t sequence, const std::vector<uint64_t>& tiles, uint64_t epoch = 1);
  void SendInput(uint64_t sequence, uint64_t index, uint64_t epoch = 1);
  ::testing::AssertionResult AwaitResults(size_t count);
  // Waits for an event of that kind and returns the first.
  v1::WorkerEvent AwaitEvent(v1::WorkerEvent::EventCase kind);
  // Asks for a sync and returns it.
  v1::WorkerSync AskSync();
  // Waits until the worker holds nothing.
  ::testing::AssertionResult AwaitIdle();

  const std::string digest_ = DigestOf(ModelFiles());
  FakeCoordinator coordinator_;
  FakeExecutor executor_;
  Measurements measurements_;
  std::string cache_;
  uint64_t cache_bytes_ = uint64_t{1} << 30;  // of the next link
  std::unique_ptr<WorkerLink> link_;
  std::thread thread_;
  absl::Status status_;
  std::atomic<bool> ended_ = false;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_WORKER_LINK_LINK_FIXTURE_H_
