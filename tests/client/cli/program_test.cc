// The program itself, against a fake coordinator: last line of stdout, exit codes, Ctrl-C.

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "tests/client/src/client_fixture.h"

namespace tilewright {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class ProgramTest : public ClientFixture {
 protected:
  // Starts the program with this fake as its coordinator; output goes to files in the folder.
  pid_t Start(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
    arguments.insert(arguments.begin(), TILEWRIGHT_BIN_DIR "/tilewright");
    environment.push_back("TILEWRIGHT_COORDINATOR=" + fake_.address());
    std::vector<char*> argv, envp;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    for (std::string& variable : environment) envp.push_back(variable.data());
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    const int flags = O_CREAT | O_WRONLY | O_TRUNC;
    posix_spawn_file_actions_addopen(&actions, 1, Path("stdout").c_str(), flags, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, Path("stderr").c_str(), flags, 0600);
    pid_t pid = -1;
    EXPECT_EQ(posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), envp.data()), 0);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
  }

  static int ExitCodeOfProcess(pid_t pid) {
    int status = 0;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  int Run(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
    return ExitCodeOfProcess(Start(std::move(arguments), std::move(environment)));
  }

  std::vector<std::string> Render(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"render",        "-i", Path("in put.png"), "-o",
                                          Path("out.png"), "-n", "lanczos4x"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  std::string LastLine() {
    std::vector<std::string> lines = absl::StrSplit(Read("stdout"), '\n', absl::SkipEmpty());
    return lines.empty() ? "" : lines.back();
  }

  bool Becomes(const std::function<bool()>& condition) {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (!condition() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(10));
    return condition();
  }
};

TEST_F(ProgramTest, RendersAndEndsWithOneObject) {
  fake_.SetScript({.watches = {{.jobs = {JobIn(v1::Job::STATE_RUNNING, 2),
                                         JobIn(v1::Job::STATE_SUCCEEDED, 4)}}}});
  EXPECT_EQ(Run(Render({"--json", "--progress=json", "--request-id", "r1", "--overlap", "0"})), 0)
      << Read("stderr");
  EXPECT_THAT(Read("stdout"),
              StartsWith(R"({"type":"progress","job":"jobs/r1","state":"running",)"));
  EXPECT_THAT(LastLine(), StartsWith(R"({"job":"jobs/r1","state":"succeeded",)"));
  EXPECT_TRUE(fake_.log().jobs.at(0).render().stages(0).has_overlap());
}

TEST_F(ProgramTest, PlainProgressGoesToStderr) {
  fake_.SetScript({.watches = {{.jobs = {JobIn(v1::Job::STATE_RUNNING, 2),
                                         JobIn(v1::Job::STATE_SUCCEEDED, 4)}}}});
  EXPECT_EQ(Run(Render()), 0);
  EXPECT_THAT(Read("stderr"), HasSubstr("running  50%  2/4 tiles\n"));
  EXPECT_THAT(Read("stdout"), Not(HasSubstr("running")));
  EXPECT_THAT(Read("stdout"), HasSubstr("state   succeeded\n"));
}

TEST_F(ProgramTest, DownloadsAndNamesTheLocalFile) {
  fake_.SetScript({.share_output = false,
                   .watches = {{.jobs = {JobIn(v1::Job::STATE_SUCCEEDED, 4)}}},
                   .output = "bytes"});
  EXPECT_EQ(Run(Render({"--json"})), 0) << Read("stderr");
  EXPECT_EQ(Read("out.png"), "bytes");
  EXPECT_THAT(LastLine(), HasSubstr(absl::StrCat("\"output\":\"", Path("out.png"), "\"")));
}

TEST_F(ProgramTest, ExitCodesTellWhatWentWrong) {
  v1::Job failed = JobIn(v1::Job::STATE_FAILED);
  failed.mutable_error()->set_code(13);
  failed.mutable_error()->set_message("tile 3 is poison");
  fake_.SetScript({.watches = {{.jobs = {failed}}}});
  EXPECT_EQ(Run(Render({"--json"})), 8);
  EXPECT_THAT(LastLine(), HasSubstr("tile 3 is poison"));
  EXPECT_THAT(Read("stderr"), EndsWith("tilewright: tile 3 is poison\n"));

  EXPECT_EQ(Run({"render", "-i", "x"}), 2);
  EXPECT_EQ(Run({"rendr"}), 2);
  EXPECT_THAT(Read("stderr"), HasSubstr("rendr"));
  EXPECT_EQ(Run({"jobs", "lst"}), 2);
  EXPECT_THAT(Read("stderr"), HasSubstr("lst"));
  EXPECT_EQ(Run({"jobs"}), 2);
  EXPECT_THAT(Read("stderr"), HasSubstr("cancel "));
  EXPECT_EQ(Run(Render({"-t", "-5"})), 2);
  EXPECT_EQ(Run(Render({"--window", "square"})), 2);
  EXPECT_EQ(Run(Render(), {"TILEWRIGHT_TILE_TIMEOUT=soon"}), 2);
  EXPECT_EQ(Run({"jobs", "show", "none"}), 4);
  Write("out.png", "old");
  EXPECT_EQ(Run(Render({"--json"})), 5);
  EXPECT_THAT(LastLine(), HasSubstr(R"("reason":"OUTPUT_EXISTS")"));
  EXPECT_EQ(Run({"workers", "list", "--coordinator", "192.0.2.1:7"}), 7);
  EXPECT_EQ(Run({"--version"}), 0);
  EXPECT_EQ(Run({"render", "--help"}), 0);
}

TEST_F(ProgramTest, CtrlCCancelsTheJob) {
  fake_.SetScript({.watches = {{.jobs = {JobIn(v1::Job::STATE_RUNNING, 1)}, .hold = true}}});
  const pid_t pid = Start(Render({"--json"}));
  ASSERT_TRUE(Becomes([this] { return fake_.log().watches > 0; })) << Read("stderr");
  kill(pid, SIGINT);
  EXPECT_EQ(ExitCodeOfProcess(pid), 9) << Read("stderr");
  EXPECT_EQ(fake_.log().cancels, 1);
  EXPECT_THAT(LastLine(), HasSubstr(R"("state":"cancelled")"));
}

TEST_F(ProgramTest, ASecondCtrlCLeavesAtOnce) {
  fake_.SetScript({.watches = {{.jobs = {JobIn(v1::Job::STATE_RUNNING, 1)}, .hold = true}},
                   .hang_cancel = true});
  const pid_t pid = Start(Render());
  ASSERT_TRUE(Becomes([this] { return fake_.log().watches > 0; })) << Read("stderr");
  kill(pid, SIGINT);
  ASSERT_TRUE(Becomes([this] { return fake_.log().cancels > 0; }));
  kill(pid, SIGINT);
  EXPECT_EQ(ExitCodeOfProcess(pid), 130);
}

TEST_F(ProgramTest, WatchingLeavesTheJobAloneAtCtrlC) {
  fake_.SetScript({.watches = {{.jobs = {JobIn(v1::Job::STATE_RUNNING, 1)}, .hold = true}}});
  const pid_t pid = Start({"jobs", "watch", "a"});
  ASSERT_TRUE(Becomes([this] { return fake_.log().watches > 0; })) << Read("stderr");
  kill(pid, SIGINT);
  EXPECT_EQ(ExitCodeOfProcess(pid), -SIGINT);
  EXPECT_EQ(fake_.log().cancels, 0);
}

}  // namespace
}  // namespace tilewright
