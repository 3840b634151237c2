// tilewright render: submit a job, show its progress, say what became of it.

#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/documents.h"
#include "client/cli/interrupt.h"
#include "client/cli/progress_reporter.h"
#include "client/cli/render_flags.h"
#include "client/cli/report.h"

namespace tilewright {
namespace {

struct Flags {
  RenderFlags render;
  bool dry_run = false;
  bool no_wait = false;
};

ExitCode DryRun(const Session& session, Client& client, const RenderRequest& request) {
  auto submission = client.DryRun(request);
  if (!submission.ok()) return session.Fail(submission.status(), request.output);
  submission->job.output = submission->output;
  std::string text = PlanReport(submission->job.plan);
  for (const std::string& note : submission->notes) absl::StrAppend(&text, "note: ", note, "\n");
  session.Print(JobDocument(submission->job, submission->notes), text);
  return ExitCode::kOk;
}

ExitCode Report(const Session& session, const Submission& submission, const Job& job) {
  if (!job.error.ok()) std::fprintf(stderr, "%s\n", ErrorText(job.error).c_str());
  session.Print(JobDocument(job, submission.notes), JobReport(job, false));
  return ExitCodeOf(job);
}

ExitCode RenderAndWait(const Session& session, Client& client, Interrupt& interrupt,
                       const Submission& submission, ProgressMode mode) {
  interrupt.SetHandler([&client, &submission] {
    std::fprintf(stderr, "\ncancelling %s; Ctrl-C again leaves at once\n",
                 submission.job.name.c_str());
    const auto cancelled = client.Cancel(submission.job.name);
    if (!cancelled.ok()) std::fprintf(stderr, "%s\n", ErrorText(cancelled.status()).c_str());
  });
  absl::StatusOr<Job> job;
  {
    ProgressReporter reporter(mode);
    job = client.Finish(submission, [&reporter](const Job& now) {
      reporter.Update(now);
      return true;
    });
  }
  interrupt.SetHandler(nullptr);
  if (!job.ok()) return session.Fail(job.status(), submission.output);
  return Report(session, submission, *job);
}

ExitCode Render(const Session& session, Flags& flags) {
  const RenderRequest& request = flags.render.request;
  const auto mode = ResolveRenderFlags(session.settings(), flags.render);
  if (!mode.ok()) {
    session.Fail(mode.status(), request.output);
    return ExitCode::kUsage;
  }
  Interrupt interrupt;  // before gRPC starts threads
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.status(), request.output);
  if (flags.dry_run) return DryRun(session, **client, request);

  const auto submission = (*client)->Submit(request);
  if (!submission.ok()) return session.Fail(submission.status(), request.output);
  for (const std::string& note : submission->notes) std::fprintf(stderr, "%s\n", note.c_str());
  for (const std::string& note : submission->job.plan.notes) {
    std::fprintf(stderr, "%s\n", note.c_str());
  }
  if (flags.no_wait) return Report(session, *submission, submission->job);
  return RenderAndWait(session, **client, interrupt, *submission, *mode);
}

}  // namespace

void AddRender(CLI::App& app, Session& session) {
  CLI::App* command = app.add_subcommand("render", "Render an image through a model");
  const auto flags = std::make_shared<Flags>();
  RenderRequest& request = flags->render.request;
  command->add_option("-i,--input", request.input, "Image to read")->required()->type_name("PATH");
  command
      ->add_option("-o,--output", request.output,
                   "File to write; .tif, .png, .jpg, .webp, .dzi, .szi or .npy")
      ->required()
      ->type_name("PATH");
  command
      ->add_option("--page", request.page,
                   "Page of the input, a TIFF of several images; 0, the default, is the first")
      ->type_name("N");
  AddRenderFlags(*command, flags->render);
  command
      ->add_option("--request-id", request.request_id,
                   "Submit once: the same id and request again return the same job")
      ->type_name("ID");
  command->add_flag("--dry-run", flags->dry_run, "Print the plan and which workers match");
  command->add_flag("--no-wait", flags->no_wait, "Submit, print the job and leave");
  command->footer(
      "Examples:\n"
      "  tilewright render -i photo.jpg -o photo_x4.tif -n lanczos4x\n"
      "  tilewright render -i photo.jpg -o photo_x4.png -n lanczos4x-torch -t 256 --dry-run\n"
      "Ctrl-C cancels the job; a second Ctrl-C leaves at once. Progress goes to stderr, as JSON to "
      "stdout.\n"
      "Server, --json and exit codes: tilewright --help");
  command->callback([&session, flags] {
    session.SetAction([&session, flags] { return Render(session, *flags); });
  });
}

}  // namespace tilewright
