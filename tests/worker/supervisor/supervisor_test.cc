// The supervisor's program with real children that live and die as they are told.

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cluster/process.h"

namespace tilewright {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

constexpr absl::Duration kPatience = absl::Minutes(2);  // of a busy machine

std::string Read(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

class SupervisorTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = absl::StrCat(testing::TempDir(), "/supervisor-XXXXXX");
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    if (HasFailure()) std::cerr << Journal() << Read(Path("log")) << Read(Path("status"));
    supervisor_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string Path(const std::string& name) const { return absl::StrCat(folder_, "/", name); }
  std::string Journal() const { return Read(Path("journal")); }
  std::string Status() const { return Read(Path("status")); }

  // Workers named "s-cpu…" that live like that.
  void Supervise(const std::string& lives, std::vector<std::string> flags = {},
                 const std::string& devices = "cpu",
                 const std::vector<std::string>& worker_flags = {}) {
    Command command;
    command.argv = prefix_;
    const std::vector<std::string> own = {
        absl::StrCat(TILEWRIGHT_BIN_DIR, "/tilewright-supervisor"),
        "--worker",
        TILEWRIGHT_FAKE_WORKER,
        "--name",
        "s",
        "--devices",
        devices,
        "--status-file",
        Path("status")};
    command.argv.insert(command.argv.end(), own.begin(), own.end());
    command.environment = {"TILEWRIGHT_RESTART_PAUSE=0.02"};
    command.argv.insert(command.argv.end(), flags.begin(), flags.end());
    for (const std::string& flag : {std::string("--"), std::string("--journal"), Path("journal"),
                                    std::string("--lives"), lives}) {
      command.argv.push_back(flag);
    }
    command.argv.insert(command.argv.end(), worker_flags.begin(), worker_flags.end());
    command.out_path = command.err_path = Path("log");
    auto process = Process::Start(command);
    ASSERT_TRUE(process.ok()) << process.status();
    supervisor_ = *std::move(process);
  }

  // Lines of the journal that begin so.
  std::vector<std::string> Lines(const std::string& begin) const {
    std::vector<std::string> lines;
    for (const absl::string_view line : absl::StrSplit(Journal(), '\n', absl::SkipEmpty())) {
      if (absl::StartsWith(line, begin)) lines.emplace_back(line);
    }
    return lines;
  }
  testing::AssertionResult AwaitLines(const std::string& begin, size_t count) const {
    const absl::Time deadline = absl::Now() + kPatience;
    while (Lines(begin).size() < count) {
      if (absl::Now() > deadline) {
        return testing::AssertionFailure() << Lines(begin).size() << " of " << count;
      }
      absl::SleepFor(absl::Milliseconds(5));
    }
    return testing::AssertionSuccess();
  }
  testing::AssertionResult AwaitStatus(const std::string& part) const {
    const absl::Time deadline = absl::Now() + kPatience;
    while (!absl::StrContains(Status(), part)) {
      if (absl::Now() > deadline) return testing::AssertionFailure() << "no " << part;
      absl::SleepFor(absl::Milliseconds(5));
    }
    return testing::AssertionSuccess();
  }
  // The values of that word in the starts, in order.
  std::vector<std::string> OfStarts(const std::string& word, const std::string& name = "s-cpu") {
    std::vector<std::string> values;
    for (const std::string& line : Lines(name + " start ")) {
      for (const absl::string_view part : absl::StrSplit(line, ' ')) {
        const std::vector<std::string> pair = absl::StrSplit(part, '=');
        if (pair[0] == word) values.push_back(pair.at(1));
      }
    }
    return values;
  }
  void ExpectEnd(int exit_code) {
    const absl::StatusOr<int> end = supervisor_->Wait(kPatience);
    ASSERT_TRUE(end.ok()) << end.status();
    EXPECT_EQ(*end, exit_code);
  }
  // Asked to end, it ends with 0.
  void EndPolitely() {
    supervisor_->Signal(SIGTERM);
    ExpectEnd(0);
    EXPECT_THAT(Status(), HasSubstr("\"state\": \"ended\",\n  \"workers\""));
  }

  std::string folder_;
  std::vector<std::string> prefix_;  // a program that becomes the supervisor
  std::unique_ptr<Process> supervisor_;
};

TEST_F(SupervisorTest, AWorkerThatDiesIsStartedAgainAfterAPauseThatGrows) {
  Supervise("exit:1,signal:11,serve", {"--restart-pause", "0.2"});
  ASSERT_TRUE(AwaitLines("s-cpu start", 3));
  ASSERT_TRUE(AwaitStatus("\"starts\": 3"));
  EXPECT_THAT(Status(), AllOf(HasSubstr("\"state\": \"running\", \"since\""),
                              HasSubstr("it was killed (signal 11, Segmentation fault)")));
  EXPECT_THAT(OfStarts("rung"), ElementsAre("0", "0", "0"));
  std::vector<int64_t> at;
  for (const std::string& text : OfStarts("ms")) {
    ASSERT_TRUE(absl::SimpleAtoi(text, &at.emplace_back()));
  }
  // Jitter leaves at least half of 200 and 400 ms; clocks are read apart.
  EXPECT_GE(at[1] - at[0], 90);
  EXPECT_GE(at[2] - at[1], 190);
  EndPolitely();
  EXPECT_THAT(Lines("s-cpu start"), SizeIs(3)) << "not started again";
}

TEST_F(SupervisorTest, AWorkerForWhichItWasTooMuchStartsSmallerEachTime) {
  Supervise("exit:8,exit:6,exit:7,exit:8,serve");
  ASSERT_TRUE(AwaitLines("s-cpu start", 5));
  EXPECT_THAT(OfStarts("rung"), ElementsAre("0", "1", "2", "3", "3"));
  ASSERT_TRUE(AwaitStatus("\"starts\": 5, \"rung\": 3, \"last_end\": \"memory ran out"));
  EndPolitely();
}

TEST_F(SupervisorTest, AHealthySmallWorkerIsDrainedAndStartsWithMore) {
  Supervise("exit:8,serve", {"--healthy-after", "0.3"});
  ASSERT_TRUE(AwaitLines("s-cpu start", 3));
  EXPECT_THAT(OfStarts("rung"), ElementsAre("0", "1", "0"));
  EXPECT_THAT(Lines("s-cpu drain"), SizeIs(1));
  EndPolitely();
}

TEST_F(SupervisorTest, TheFirstSigtermDrainsAndTheSecondStops) {
  Supervise("linger", {}, "cpu*2");
  ASSERT_TRUE(AwaitLines("s-cpu0 start", 1));
  ASSERT_TRUE(AwaitLines("s-cpu1 start", 1));
  ASSERT_TRUE(AwaitStatus(
      "\"s-cpu1\", \"device\": \"cpu\", \"asked_device\": \"cpu\", \"state\": \"running\""));
  supervisor_->Signal(SIGTERM);
  ASSERT_TRUE(AwaitLines("s-cpu0 drain", 1));
  ASSERT_TRUE(AwaitLines("s-cpu1 drain", 1));
  ASSERT_TRUE(AwaitStatus("\"state\": \"draining\",\n  \"workers\""));
  EXPECT_THAT(Lines("s-cpu0 stop"), SizeIs(0));
  EXPECT_TRUE(supervisor_->Running());
  supervisor_->Signal(SIGTERM);
  ExpectEnd(0);
  EXPECT_THAT(Lines("s-cpu0 stop"), SizeIs(1));
  EXPECT_THAT(Lines("s-cpu1 stop"), SizeIs(1));
}

TEST_F(SupervisorTest, WorkersOfASupervisorThatWasKilledLeaveByThemselves) {
  Supervise("serve", {}, "cpu*2");
  ASSERT_TRUE(AwaitLines("s-cpu0 start", 1));
  ASSERT_TRUE(AwaitLines("s-cpu1 start", 1));
  supervisor_->Signal(SIGKILL);
  ExpectEnd(128 + SIGKILL);
  EXPECT_TRUE(AwaitLines("s-cpu0 end", 1));
  EXPECT_TRUE(AwaitLines("s-cpu1 end", 1));
}

TEST_F(SupervisorTest, AWorkerThatSomebodyStopsIsNotStartedAgain) {
  Supervise("exit:0");
  ExpectEnd(0);
  EXPECT_THAT(Lines("s-cpu start"), SizeIs(1));
  EXPECT_THAT(Status(), HasSubstr("it was stopped (exit code 0)"));
}

TEST_F(SupervisorTest, AWorkerWithWrongFlagsEndsTheSupervisorWithTwo) {
  Supervise("exit:2");
  ExpectEnd(2);
  EXPECT_THAT(Lines("s-cpu start"), SizeIs(1));
  EXPECT_THAT(Read(Path("log")), HasSubstr("a wrong flag, variable or configuration line"));
}

TEST_F(SupervisorTest, ADeviceThatIsNotThereIsLookedForSlowly) {
  Supervise("exit:3", {}, "cuda:7");
  ASSERT_TRUE(AwaitStatus("the device is not there (exit code 3)"));
  EXPECT_THAT(Status(), AllOf(HasSubstr("\"state\": \"waiting\""), HasSubstr("\"next_start\"")));
  EndPolitely();
  EXPECT_THAT(Lines("s-cuda7 start"), SizeIs(1));
}

TEST_F(SupervisorTest, AGpuThatFailsAgainAndAgainIsGivenUpForTheCpuAndThatIsTold) {
  Supervise("exit:6", {"--cpu-fallback", "--restart-pause-max", "0.05", "--cpu-threads", "3"},
            "cuda:0", {"--cpu-lives", "serve"});
  ASSERT_TRUE(AwaitLines("s-cuda0-on-cpu start", 1));
  EXPECT_THAT(OfStarts("rung", "s-cuda0"), ElementsAre("0", "1", "2", "3", "3", "3"));
  EXPECT_THAT(OfStarts("device", "s-cuda0-on-cpu"), ElementsAre("cpu"));
  EXPECT_THAT(OfStarts("threads", "s-cuda0-on-cpu"), ElementsAre("3"));
  EXPECT_THAT(Read(Path("log")), HasSubstr("cuda:0 is given up"));
  ASSERT_TRUE(
      AwaitStatus("\"device\": \"cpu\", \"asked_device\": \"cuda:0\", \"state\": \"running\""));
  EndPolitely();
}

TEST_F(SupervisorTest, ItSeesDeathsAndKeepsToNohupWhateverItInherits) {
  prefix_ = {"/usr/bin/env", "--ignore-signal=CHLD,HUP"};
  Supervise("exit:1,linger");
  ASSERT_TRUE(AwaitLines("s-cpu start", 2));
  supervisor_->Signal(SIGHUP);
  supervisor_->Signal(SIGTERM);
  ASSERT_TRUE(AwaitLines("s-cpu drain", 1));
  supervisor_->Signal(SIGTERM);
  ExpectEnd(0);
  const std::vector<std::string> told = absl::StrSplit(Read(Path("log")), "told again to end");
  EXPECT_THAT(told, SizeIs(2)) << "by the second SIGTERM alone";
}

TEST_F(SupervisorTest, EachWorkerHasItsThreadsNicenessAndProcessGroup) {
  Supervise("serve", {"--cpu-threads", "5", "--nice", "3"}, "cpu*2");
  ASSERT_TRUE(AwaitLines("s-cpu0 start", 1));
  ASSERT_TRUE(AwaitLines("s-cpu1 start", 1));
  EXPECT_THAT(OfStarts("threads", "s-cpu0"), ElementsAre("3"));
  EXPECT_THAT(OfStarts("threads", "s-cpu1"), ElementsAre("2"));
  EXPECT_THAT(OfStarts("omp", "s-cpu1"), ElementsAre("2"));
  EXPECT_THAT(OfStarts("group", "s-cpu1"), ElementsAre("own"));
  const int own = getpriority(PRIO_PROCESS, 0);
  EXPECT_THAT(OfStarts("nice", "s-cpu1"), ElementsAre(absl::StrCat(std::min(own + 3, 19))));
  EndPolitely();
}

TEST_F(SupervisorTest, ItIsLinkedNeitherToTheEnginesNorToGrpc) {
  Supervise("serve");
  ASSERT_TRUE(AwaitLines("s-cpu start", 1));
  const std::string maps = Read(absl::StrCat("/proc/", supervisor_->pid(), "/maps"));
  EXPECT_THAT(maps, HasSubstr("tilewright-supervisor"));
  EXPECT_THAT(maps, HasSubstr("libspdlog")) << "libraries are seen here";
  for (const char* library : {"libgrpc", "libprotobuf", "libtorch", "libc10", "opencv"}) {
    EXPECT_THAT(maps, Not(HasSubstr(library)));
  }
  EndPolitely();
}

TEST_F(SupervisorTest, WrongFlagsAreRefusedWithASentence) {
  for (const auto& [flags, sentence] :
       std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"--devices", "gpu"}, "'gpu' is no device"},
           {{"--worker", "/nowhere"}, "there is no worker program /nowhere"},
           {{"--nice", "20"}, "--nice"},
           {{"--restart-pause", "9", "--restart-pause-max", "8"}, "--restart-pause-max is below"},
           {{"--", "--device", "cpu"}, "--device after -- cannot be"},
           {{"--", "--name=x"}, "--name after -- cannot be"}}) {
    Command command;
    command.argv = {absl::StrCat(TILEWRIGHT_BIN_DIR, "/tilewright-supervisor")};
    if (flags[0] != "--worker") {
      command.argv.insert(command.argv.end(), {"--worker", TILEWRIGHT_FAKE_WORKER});
    }
    command.argv.insert(command.argv.end(), flags.begin(), flags.end());
    command.out_path = command.err_path = Path("refusal");
    auto process = Process::Start(command);
    ASSERT_TRUE(process.ok()) << process.status();
    EXPECT_EQ((*process)->Wait(kPatience).value_or(-1), 2) << sentence;
    EXPECT_THAT(Read(Path("refusal")), HasSubstr(sentence));
  }
}

}  // namespace
}  // namespace tilewright
