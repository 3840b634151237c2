// tilewright sequence: render numbered frames, a few at a time, and say what became of each.

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/commands.h"
#include "client/cli/documents.h"
#include "client/cli/interrupt.h"
#include "client/cli/progress.h"
#include "client/cli/render_flags.h"
#include "client/cli/report.h"
#include "client/cli/sequence_report.h"
#include "proto/base/instant.h"
#include "tilewright/sequence.h"

namespace tilewright {
namespace {

struct SequenceFlags {
  RenderFlags render;
  SequenceRequest sequence;  // but for `frame`, which is render's
  bool dry_run = false;
};

// Plans the first frame: it stands for all.
ExitCode DryRunSequence(const Session& session, Client& client, const Sequence& sequence) {
  const RenderRequest request = sequence.RequestOf(sequence.frames().front());
  auto submission = client.DryRun(request);
  if (!submission.ok()) return session.Fail(submission.status(), request.output);
  submission->job.output = submission->output;
  session.Print(JobDocument(submission->job, submission->notes),
                absl::StrCat("frames         ", sequence.frames().size(), ", ",
                             sequence.frames().front(), " to ", sequence.frames().back(),
                             "; the first:\n", PlanReport(submission->job.plan)));
  return ExitCode::kOk;
}

ExitCode RenderSequence(const Session& session, SequenceFlags& flags) {
  const std::string& output = flags.render.request.output;
  const auto mode = ResolveRenderFlags(session.settings(), flags.render);
  if (!mode.ok()) {
    session.Fail(mode.status(), output);
    return ExitCode::kUsage;
  }
  Interrupt interrupt;  // before gRPC starts threads
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.status(), output);
  flags.sequence.frame = flags.render.request;
  const auto sequence = Sequence::Create(client->get(), flags.sequence);
  if (!sequence.ok()) return session.Fail(sequence.status(), output);
  if (flags.dry_run) return DryRunSequence(session, **client, **sequence);

  interrupt.SetHandler([&sequence] {
    std::fprintf(stderr, "\ncancelling the frames under way; Ctrl-C again leaves at once\n");
    (*sequence)->Cancel();
  });
  SequenceProgress progress((*sequence)->frames().size());
  const std::vector<FrameResult> results = (*sequence)->Run([&](const FrameResult& result) {
    progress.Add(result);
    if (*mode == ProgressMode::kNone) return;
    if (*mode == ProgressMode::kJson) {
      std::printf("%s\n", FrameDocument(result).c_str());
      std::fflush(stdout);
    } else {
      std::fprintf(stderr, "%s\n", progress.Line(result).c_str());
    }
  });
  interrupt.SetHandler(nullptr);
  session.Print(SequenceDocument(results), SequenceReport(results));
  return SequenceExitCode(results);
}

}  // namespace

void AddSequence(CLI::App& app, Session& session) {
  CLI::App* command =
      app.add_subcommand("sequence", "Render numbered frames through a model, each as a job");
  const auto flags = std::make_shared<SequenceFlags>();
  RenderRequest& request = flags->render.request;
  command
      ->add_option(
          "-i,--input", request.input,
          "Images to read, numbered: shot_%04d.png; or one TIFF, whose pages are the frames, the "
          "first being 0")
      ->required()
      ->type_name("PATTERN");
  command->add_option("-o,--output", request.output, "Files to write, numbered: big_%04d.tif")
      ->required()
      ->type_name("PATTERN");
  command
      ->add_option("--first", flags->sequence.first,
                   "Number of the first frame (default: all that exist)")
      ->type_name("N");
  command->add_option("--last", flags->sequence.last, "Number of the last frame")->type_name("N");
  command
      ->add_option("--in-flight", flags->sequence.in_flight, "Frames at once, 1 to 64 (default 8)")
      ->type_name("FRAMES");
  command->add_flag("--skip-existing", flags->sequence.skip_existing,
                    "Leave frames alone whose output exists, as after a sequence that was stopped");
  command->add_flag("--feed-back", flags->sequence.feed_back,
                    "Give each frame the output of the nearest one before that has one, for models "
                    "that take a previous frame; --previous is the first one's");
  AddRenderFlags(*command, flags->render);
  command->add_flag("--dry-run", flags->dry_run, "Print the plan of the first frame");
  command->footer(
      "Examples:\n"
      "  tilewright sequence -i 'shot_%04d.png' -o 'big_%04d.tif' -n lanczos4x\n"
      "  tilewright sequence -i 'shot_%04d.png' -o 'big_%04d.tif' -n lanczos4x --skip-existing\n"
      "  tilewright sequence -i scan.tif -o 'page_%03d.tif' -n lanczos4x\n"
      "A frame that fails does not keep the others back. Ctrl-C cancels the frames under way; a "
      "second Ctrl-C leaves at once.\n"
      "Server, --json and exit codes: tilewright --help");
  command->callback([&session, flags] {
    session.SetAction([&session, flags] { return RenderSequence(session, *flags); });
  });
}

}  // namespace tilewright
