// When, how small and where a worker starts again: literal deaths, literal pauses.

#include "worker/supervisor/restart_policy.h"

#include <signal.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "worker/exit_code.h"
#include "worker/supervisor/death.h"

namespace tilewright {
namespace {

using Kind = Death::Kind;
using testing::HasSubstr;

double Highest() { return 1; }

RestartPolicy Policy(bool gpu = true, bool cpu_fallback = false) {
  RestartOptions options;
  options.cpu_fallback = cpu_fallback;
  return RestartPolicy(options, gpu, Highest);
}

Death Of(Kind kind) { return {kind, "test"}; }

constexpr absl::Duration kMoment = absl::Milliseconds(5);

TEST(RestartPolicy, PausesDoubleUpToAMinute) {
  RestartPolicy policy = Policy();
  for (const int seconds : {1, 2, 4, 8, 16, 32, 60, 60}) {
    EXPECT_EQ(policy.OnDeath(Of(Kind::kCrashed), kMoment), absl::Seconds(seconds));
  }
}

TEST(RestartPolicy, JitterTakesUpToHalfOfThePause) {
  double random = 0;
  RestartPolicy policy({}, true, [&random] { return random; });
  EXPECT_EQ(policy.OnDeath(Of(Kind::kCrashed), kMoment), absl::Milliseconds(500));
  random = 0.5;
  EXPECT_EQ(policy.OnDeath(Of(Kind::kCrashed), kMoment), absl::Milliseconds(1500));
}

TEST(RestartPolicy, AHealthyLifeForgivesTheDeathsBeforeItAndAShorterOneDoesNot) {
  RestartPolicy policy = Policy();
  policy.OnDeath(Of(Kind::kCrashed), kMoment);
  EXPECT_EQ(policy.OnDeath(Of(Kind::kCrashed), absl::Minutes(10) - absl::Nanoseconds(1)),
            absl::Seconds(2));
  EXPECT_EQ(policy.OnDeath(Of(Kind::kCrashed), absl::Minutes(10)), absl::Seconds(1));
}

TEST(RestartPolicy, WhatOnlyTheWorldCanChangeIsTriedSlowly) {
  for (const Kind kind : {Kind::kNoDevice, Kind::kRefused, Kind::kNotStarted}) {
    RestartPolicy policy = Policy();
    for (const int seconds : {30, 60, 120, 240, 300, 300}) {
      EXPECT_EQ(policy.OnDeath(Of(kind), kMoment), absl::Seconds(seconds));
    }
    EXPECT_EQ(policy.rung(), 0);
  }
}

TEST(RestartPolicy, AWorkerThatSomebodyStoppedOrWhoseFlagsAreWrongIsNotStartedAgain) {
  EXPECT_EQ(Policy().OnDeath(Of(Kind::kStopped), kMoment), std::nullopt);
  EXPECT_EQ(Policy().OnDeath(Of(Kind::kUsage), kMoment), std::nullopt);
}

TEST(RestartPolicy, EachDeathBecauseTheWorkWasTooBigMovesOneRungOnToTheLast) {
  RestartPolicy policy = Policy();
  for (const int rung : {1, 2, 3, 3}) {
    EXPECT_TRUE(policy.OnDeath(Of(Kind::kOverwhelmed), kMoment).has_value());
    EXPECT_EQ(policy.rung(), rung);
  }
}

TEST(RestartPolicy, OtherDeathsLeaveTheRungAsItIs) {
  RestartPolicy policy = Policy();
  policy.OnDeath(Of(Kind::kOverwhelmed), kMoment);
  for (const Kind kind : {Kind::kCrashed, Kind::kDeviceLost, Kind::kNoDevice, Kind::kRefused}) {
    policy.OnDeath(Of(kind), kMoment);
    EXPECT_EQ(policy.rung(), 1);
  }
}

TEST(RestartPolicy, PatienceDoublesWhenMoreTurnedOutToBeTooMuch) {
  RestartPolicy policy = Policy();
  EXPECT_EQ(policy.patience(), absl::InfiniteDuration()) << "nothing to gain at rung 0";
  policy.OnDeath(Of(Kind::kOverwhelmed), kMoment);
  for (const int minutes : {10, 20, 40, 80, 160, 160}) {
    EXPECT_EQ(policy.patience(), absl::Minutes(minutes));
    policy.Relax();
    EXPECT_EQ(policy.rung(), 0);
    policy.OnDeath(Of(Kind::kOverwhelmed), kMoment);
  }
}

TEST(RestartPolicy, AGpuThatFailsSixTimesInARowIsGivenUpIfThatIsAllowed) {
  RestartPolicy policy = Policy(/*gpu=*/true, /*cpu_fallback=*/true);
  for (int death = 1; death <= 5; ++death) {
    policy.OnDeath(Of(Kind::kOverwhelmed), kMoment);
    EXPECT_FALSE(policy.on_cpu()) << death;
  }
  EXPECT_EQ(policy.rung(), kLastRung);
  EXPECT_EQ(policy.OnDeath(Of(Kind::kDeviceLost), kMoment), absl::Seconds(1));
  EXPECT_TRUE(policy.on_cpu());
  EXPECT_EQ(policy.rung(), 0) << "the rungs were the GPU's";
}

TEST(RestartPolicy, AGpuIsKeptWithoutPermissionOrWhenItWasHealthyOrWhenItIsNotToBlame) {
  RestartPolicy forbidden = Policy(/*gpu=*/true, /*cpu_fallback=*/false);
  RestartPolicy healthy = Policy(/*gpu=*/true, /*cpu_fallback=*/true);
  RestartPolicy innocent = Policy(/*gpu=*/true, /*cpu_fallback=*/true);
  RestartPolicy cpu = Policy(/*gpu=*/false, /*cpu_fallback=*/true);
  for (int death = 1; death <= 20; ++death) {
    forbidden.OnDeath(Of(Kind::kOverwhelmed), kMoment);
    healthy.OnDeath(Of(Kind::kOverwhelmed), death % 5 == 0 ? absl::Hours(1) : kMoment);
    innocent.OnDeath(Of(Kind::kCrashed), kMoment);
    cpu.OnDeath(Of(Kind::kOverwhelmed), kMoment);
  }
  EXPECT_FALSE(forbidden.on_cpu());
  EXPECT_FALSE(healthy.on_cpu());
  EXPECT_FALSE(innocent.on_cpu());
  EXPECT_FALSE(cpu.on_cpu());
}

TEST(Death, EveryExitCodeOfAWorkerHasItsKindAndWords) {
  const auto of = [](WorkerExit code) { return Examine({.exit_code = static_cast<int>(code)}); };
  EXPECT_EQ(of(WorkerExit::kStopped).kind, Kind::kStopped);
  EXPECT_EQ(of(WorkerExit::kInternal).kind, Kind::kCrashed);
  EXPECT_EQ(of(WorkerExit::kUsage).kind, Kind::kUsage);
  EXPECT_EQ(of(WorkerExit::kNoDevice).kind, Kind::kNoDevice);
  EXPECT_EQ(of(WorkerExit::kRefused).kind, Kind::kRefused);
  EXPECT_EQ(of(WorkerExit::kDeviceLost).kind, Kind::kDeviceLost);
  EXPECT_EQ(of(WorkerExit::kLaunchTimeout).kind, Kind::kOverwhelmed);
  EXPECT_EQ(of(WorkerExit::kHang).kind, Kind::kOverwhelmed);
  EXPECT_EQ(of(WorkerExit::kOutOfMemory).kind, Kind::kOverwhelmed);
  EXPECT_EQ(of(WorkerExit::kOutOfMemory).words, "memory ran out (exit code 8)");
  EXPECT_EQ(Examine({.exit_code = 77}).kind, Kind::kCrashed);
}

TEST(Death, TheKernelsKillForMemoryIsToldFromAnyOther) {
  const Death memory = Examine({.signal = SIGKILL, .kernel_was_out_of_memory = true});
  EXPECT_EQ(memory.kind, Kind::kOverwhelmed);
  EXPECT_THAT(memory.words, HasSubstr("memory"));
  EXPECT_EQ(Examine({.signal = SIGKILL}).kind, Kind::kCrashed);
  const Death fault = Examine({.signal = SIGSEGV, .kernel_was_out_of_memory = true});
  EXPECT_EQ(fault.kind, Kind::kCrashed) << "it killed another process meanwhile";
  EXPECT_THAT(fault.words, HasSubstr("Segmentation fault"));
}

}  // namespace
}  // namespace tilewright
