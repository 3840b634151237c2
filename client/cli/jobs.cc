// tilewright jobs list|show|watch|cancel|fetch and pause|resume|priority|retry|accept-holes.

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/commands.h"
#include "client/cli/documents.h"
#include "client/cli/progress.h"
#include "client/cli/progress_reporter.h"
#include "client/cli/report.h"
#include "client/cli/text_table.h"

namespace tilewright {
namespace {

struct JobFlags {
  std::string job;
  std::string output;
  std::optional<std::string> progress;
  int priority = 0;
  bool overwrite = false;
  size_t limit = 50;
};

ExitCode ListJobs(const Session& session, Client& client, const JobFlags& flags) {
  std::vector<Job> jobs;
  const absl::Status listed = client.List([&jobs, &flags](const Job& job) {
    jobs.push_back(job);
    return jobs.size() < flags.limit;
  });
  if (!listed.ok()) return session.Fail(listed);
  std::vector<std::vector<std::string>> rows = {
      {"JOB", "STATE", "TILES", "TIME", "MODEL", "OUTPUT"}};
  for (const Job& job : jobs) {
    rows.push_back({job.name, StateText(job), absl::StrCat(job.tiles_done, "/", job.plan.tiles),
                    ClockText(job.elapsed), job.plan.model, job.output});
  }
  session.Print(JobsDocument(jobs), TextTable(rows));
  return ExitCode::kOk;
}

ExitCode ShowJob(const Session& session, Client& client, const JobFlags& flags) {
  const auto job = client.Get(flags.job);
  if (!job.ok()) return session.Fail(job.status());
  session.Print(JobDocument(*job, {}), JobReport(*job, true));
  return ExitCode::kOk;
}

ExitCode WatchJob(const Session& session, Client& client, const JobFlags& flags) {
  const auto mode =
      ParseProgressMode(session.settings().Resolve("progress", flags.progress, "auto"));
  if (!mode.ok()) {
    session.Fail(mode.status());
    return ExitCode::kUsage;
  }
  absl::StatusOr<Job> job;
  {
    ProgressReporter reporter(*mode);
    job = client.Watch(flags.job, [&reporter](const Job& now) {
      reporter.Update(now);
      return true;
    });
  }
  if (!job.ok()) return session.Fail(job.status());
  if (!job->error.ok()) std::fprintf(stderr, "%s\n", ErrorText(job->error).c_str());
  session.Print(JobDocument(*job, {}), JobReport(*job, false));
  return ExitCodeOf(*job);
}

// Prints the job as an operation left it.
ExitCode Operated(const Session& session, const absl::StatusOr<Job>& job,
                  const std::string& more = "") {
  if (!job.ok()) return session.Fail(job.status());
  session.Print(JobDocument(*job, {}), absl::StrCat(job->name, " ", StateText(*job), more, "\n"));
  return ExitCode::kOk;
}

ExitCode CancelJob(const Session& session, Client& client, const JobFlags& flags) {
  return Operated(session, client.Cancel(flags.job));
}
ExitCode PauseJob(const Session& session, Client& client, const JobFlags& flags) {
  return Operated(session, client.Pause(flags.job));
}
ExitCode ResumeJob(const Session& session, Client& client, const JobFlags& flags) {
  return Operated(session, client.Resume(flags.job));
}
ExitCode SetPriority(const Session& session, Client& client, const JobFlags& flags) {
  return Operated(session, client.SetPriority(flags.job, flags.priority),
                  absl::StrCat(", priority ", flags.priority));
}
ExitCode RetryTiles(const Session& session, Client& client, const JobFlags& flags) {
  return Operated(session, client.RetryFailedTiles(flags.job));
}
ExitCode AcceptHoles(const Session& session, Client& client, const JobFlags& flags) {
  const auto job = client.AcceptHoles(flags.job);
  return Operated(
      session, job,
      job.ok() ? absl::StrCat(", ", job->hole_count, job->hole_count == 1 ? " hole" : " holes")
               : "");
}

ExitCode FetchJob(const Session& session, Client& client, const JobFlags& flags) {
  const absl::Status fetched = client.Download(flags.job, flags.output, flags.overwrite);
  if (!fetched.ok()) return session.Fail(fetched, flags.output);
  auto job = client.Get(flags.job);
  if (!job.ok()) return session.Fail(job.status(), flags.output);
  job->output = flags.output;
  session.Print(JobDocument(*job, {}), absl::StrCat(flags.output, "\n"));
  return ExitCode::kOk;
}

ExitCode PreviewJob(const Session& session, Client& client, const JobFlags& flags) {
  const auto finished = client.SavePreview(flags.job, flags.output, flags.overwrite);
  if (!finished.ok()) return session.Fail(finished.status(), flags.output);
  session.Print(PreviewDocument(flags.output, *finished),
                absl::StrFormat("%s: %.0f %% finished\n", flags.output, *finished * 100));
  return ExitCode::kOk;
}

using JobVerb = ExitCode (*)(const Session&, Client&, const JobFlags&);

CLI::App* AddVerb(CLI::App* jobs, Session& session, const std::shared_ptr<JobFlags>& flags,
                  const std::string& name, const std::string& help, JobVerb verb) {
  CLI::App* command = jobs->add_subcommand(name, help);
  command->callback([&session, flags, verb] {
    session.SetAction([&session, flags, verb] {
      const auto client = session.Connect();
      return client.ok() ? verb(session, **client, *flags) : session.Fail(client.status());
    });
  });
  return command;
}

void AddJobArgument(CLI::App* command, JobFlags& flags) {
  command->add_option("job", flags.job, "Name of the job, jobs/ID or ID")->required();
}

}  // namespace

void AddJobs(CLI::App& app, Session& session) {
  CLI::App* jobs = app.add_subcommand("jobs", "Look at jobs, steer and end them");
  const auto flags = std::make_shared<JobFlags>();
  AddVerb(jobs, session, flags, "list", "Newest first", ListJobs)
      ->add_option("--limit", flags->limit, "Most jobs to list (default 50)")
      ->check(CLI::PositiveNumber);
  AddJobArgument(AddVerb(jobs, session, flags, "show", "One job with its events", ShowJob), *flags);
  CLI::App* watch = AddVerb(jobs, session, flags, "watch",
                            "Follow a job to its end; Ctrl-C leaves it alone", WatchJob);
  AddJobArgument(watch, *flags);
  watch
      ->add_option("--progress", flags->progress,
                   "auto, bar, plain, json or none [TILEWRIGHT_PROGRESS] (default auto)")
      ->check(CLI::IsMember({"auto", "bar", "plain", "json", "none"}));
  AddJobArgument(AddVerb(jobs, session, flags, "cancel", "End a job", CancelJob), *flags);
  AddJobArgument(AddVerb(jobs, session, flags, "pause",
                         "Start no more tiles of a job; those that run may finish", PauseJob),
                 *flags);
  AddJobArgument(AddVerb(jobs, session, flags, "resume", "Let a paused job go on", ResumeJob),
                 *flags);
  CLI::App* priority = AddVerb(
      jobs, session, flags, "priority",
      "Change a job's weight among the jobs of its tenant; each step doubles it", SetPriority);
  AddJobArgument(priority, *flags);
  priority->add_option("priority", flags->priority, "-5 to 5; jobs start with 0")
      ->required()
      ->check(CLI::Range(-5, 5));
  AddJobArgument(
      AddVerb(jobs, session, flags, "retry",
              "Try the failed tiles of a job that waits for a decision once more", RetryTiles),
      *flags);
  AddJobArgument(AddVerb(jobs, session, flags, "accept-holes",
                         "Leave the failed tiles of a job that waits for a decision out of the "
                         "picture: neighbours stand in where they reach, the rest is zero",
                         AcceptHoles),
                 *flags);
  CLI::App* preview = AddVerb(jobs, session, flags, "preview",
                              "Save a small PNG of what a running job has finished; what is "
                              "missing is transparent",
                              PreviewJob);
  AddJobArgument(preview, *flags);
  preview->add_option("-o,--output", flags->output, "PNG to write")->required()->type_name("PATH");
  preview->add_flag("--overwrite", flags->overwrite, "Replace an existing file");
  CLI::App* fetch = AddVerb(jobs, session, flags, "fetch",
                            "Download the output of a job whose folder was not shared", FetchJob);
  AddJobArgument(fetch, *flags);
  fetch->add_option("-o,--output", flags->output, "File to write")->required()->type_name("PATH");
  fetch->add_flag("--overwrite", flags->overwrite, "Replace an existing file");
}

}  // namespace tilewright
