#include "coordinator/service/preparations.h"

#include <optional>
#include <string>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

absl::Status Cancelled(const std::string& why) { return absl::CancelledError(why); }

// Work that goes on until it is asked to end.
absl::Status UntilAsked(const Interrupt& interrupt) {
  while (interrupt.Check().ok()) {
  }
  return interrupt.Check();
}

struct Ended {
  absl::Status worked;
  absl::Status asked;
};

// How a job ended, once it has.
class Outcome {
 public:
  Preparations::Done Keep() {
    return [this](const absl::Status& worked, const absl::Status& asked) {
      ended_ = {worked, asked};
      done_.Notify();
    };
  }
  bool there() const { return done_.HasBeenNotified(); }
  const Ended& Await() {
    done_.WaitForNotification();
    return ended_;
  }

 private:
  absl::Notification done_;
  Ended ended_;
};

TEST(Preparations, WorkIsDoneAndItsEndIsTold) {
  Preparations preparations(1, 4);
  Outcome good, bad;
  ASSERT_TRUE(preparations
                  .Add(
                      "a", [](const Interrupt&) { return absl::OkStatus(); }, good.Keep())
                  .ok());
  ASSERT_TRUE(preparations
                  .Add(
                      "b", [](const Interrupt&) { return absl::DataLossError("torn"); }, bad.Keep())
                  .ok());
  EXPECT_TRUE(good.Await().worked.ok());
  EXPECT_TRUE(good.Await().asked.ok());
  EXPECT_EQ(bad.Await().worked, absl::DataLossError("torn"));
  EXPECT_FALSE(preparations.Has("a"));
  EXPECT_FALSE(preparations.End("a", Cancelled("late")));
}

TEST(Preparations, WorkUnderWayEndsWhenItIsAsked) {
  Preparations preparations(1, 4);
  Outcome outcome;
  absl::Notification begun;
  ASSERT_TRUE(preparations
                  .Add(
                      "a",
                      [&begun](const Interrupt& interrupt) {
                        begun.Notify();
                        return UntilAsked(interrupt);
                      },
                      outcome.Keep())
                  .ok());
  begun.WaitForNotification();
  EXPECT_TRUE(preparations.Busy());
  EXPECT_TRUE(preparations.Has("a"));
  EXPECT_TRUE(preparations.End("a", Cancelled("first")));
  preparations.End("a", Cancelled("second"));
  EXPECT_EQ(outcome.Await().worked, Cancelled("first"));
}

TEST(Preparations, WhatWasAskedTooLateIsTold) {
  Preparations preparations(1, 4);
  Outcome outcome;
  absl::Notification begun, go_on;
  ASSERT_TRUE(preparations
                  .Add(
                      "a",
                      [&](const Interrupt&) {
                        begun.Notify();
                        go_on.WaitForNotification();
                        return absl::OkStatus();
                      },
                      outcome.Keep())
                  .ok());
  begun.WaitForNotification();
  EXPECT_TRUE(preparations.End("a", Cancelled("late")));
  go_on.Notify();
  EXPECT_TRUE(outcome.Await().worked.ok());
  EXPECT_EQ(outcome.Await().asked, Cancelled("late"));
}

TEST(Preparations, AJobThatWaitsEndsAtOnceAndMakesRoom) {
  Preparations preparations(0, 1);
  Outcome outcome, none;
  EXPECT_TRUE(preparations.Busy());
  ASSERT_TRUE(preparations.Add("a", UntilAsked, outcome.Keep()).ok());
  EXPECT_EQ(ReasonOf(preparations.Add("b", UntilAsked, none.Keep())), "TOO_MANY_JOBS");
  EXPECT_TRUE(preparations.End("a", Cancelled("why")));
  ASSERT_TRUE(outcome.there());
  EXPECT_EQ(outcome.Await().worked, Cancelled("why"));
  EXPECT_FALSE(preparations.Has("a"));
  EXPECT_TRUE(preparations.Add("b", UntilAsked, none.Keep()).ok());
}

TEST(Preparations, StopEndsWhatWaitsAndWhatIsUnderWayAndTakesNothingMore) {
  Outcome under_way, waiting, none;
  Preparations preparations(1, 4);
  absl::Notification begun;
  ASSERT_TRUE(preparations
                  .Add(
                      "a",
                      [&begun](const Interrupt& interrupt) {
                        begun.Notify();
                        return UntilAsked(interrupt);
                      },
                      under_way.Keep())
                  .ok());
  begun.WaitForNotification();
  ASSERT_TRUE(preparations.Add("b", UntilAsked, waiting.Keep()).ok());
  preparations.Stop(absl::UnavailableError("down"));
  ASSERT_TRUE(under_way.there() && waiting.there());
  EXPECT_EQ(under_way.Await().worked, absl::UnavailableError("down"));
  EXPECT_EQ(waiting.Await().worked, absl::UnavailableError("down"));
  EXPECT_EQ(preparations.Add("c", UntilAsked, none.Keep()), absl::UnavailableError("down"));
  EXPECT_FALSE(none.there());
}

TEST(Interrupt, EndsByItselfAfterItsLimit) {
  EXPECT_TRUE(Interrupt().Check().ok());
  EXPECT_TRUE(Interrupt(absl::Hours(1)).Check().ok());
  const absl::Status late = Interrupt(absl::ZeroDuration()).Check();
  EXPECT_EQ(late, absl::DeadlineExceededError("it takes more than 0"));
}

}  // namespace
}  // namespace tilewright
