#include "tests/coordinator/schedule/transcript.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "coordinator/schedule/continued.h"
#include "coordinator/schedule/scheduler.h"
#include "coordinator/schedule/snapshot.h"
#include "proto/base/status_macros.h"
#include "tests/coordinator/schedule/decisions_text.h"

namespace tilewright {
namespace {

// "name value key=value key=a key=b flag": positional words and named ones.
class Command {
 public:
  explicit Command(absl::string_view line) {
    for (absl::string_view word : absl::StrSplit(line, ' ', absl::SkipEmpty())) {
      const size_t equals = word.find('=');
      if (equals == absl::string_view::npos) {
        words_.emplace_back(word);
      } else {
        named_.emplace(word.substr(0, equals), word.substr(equals + 1));
      }
    }
  }
  const std::string& verb() const { return words_[0]; }
  // Positional word i; sets error() if it is missing.
  std::string Word(size_t i) {
    if (i < words_.size()) return words_[i];
    error_ = absl::StrCat("word ", i, " is missing");
    return "";
  }
  size_t words() const { return words_.size(); }
  bool Flag(absl::string_view name) const {
    for (size_t i = 1; i < words_.size(); ++i) {
      if (words_[i] == name) return true;
    }
    return false;
  }
  std::string Text(const std::string& name, std::string otherwise) const {
    auto it = named_.find(name);
    return it == named_.end() ? otherwise : it->second;
  }
  std::vector<std::string> All(const std::string& name) const {
    std::vector<std::string> all;
    for (auto [it, end] = named_.equal_range(name); it != end; ++it) all.push_back(it->second);
    return all;
  }
  double Number(const std::string& name, double otherwise) {
    auto it = named_.find(name);
    if (it == named_.end()) return otherwise;
    double value = 0;
    if (!absl::SimpleAtod(it->second, &value)) error_ = absl::StrCat(name, " is no number");
    return value;
  }
  absl::Duration Time(const std::string& text) {
    absl::Duration value;
    if (!absl::ParseDuration(text, &value)) error_ = absl::StrCat("'", text, "' is no duration");
    return value;
  }
  uint64_t Integer(const std::string& text) {
    uint64_t value = 0;
    if (!absl::SimpleAtoi(text, &value)) error_ = absl::StrCat("'", text, "' is no number");
    return value;
  }
  const std::string& error() const { return error_; }
  void Fail(std::string error) { error_ = std::move(error); }

 private:
  std::vector<std::string> words_;
  std::multimap<std::string, std::string> named_;
  std::string error_;
};

std::set<std::string> SetOf(const std::string& list) {
  return absl::StrSplit(list, ',', absl::SkipEmpty());
}

class Story {
 public:
  absl::StatusOr<std::string> Run(absl::string_view line) {
    Command command(line);
    std::string out;
    const std::string verb = command.verb();
    if (verb == "options") {
      options_.worker_grace = command.Time(command.Text("worker_grace", "60s"));
      options_.lease_work = command.Time(command.Text("lease_work", "1500ms"));
      options_.class_grace = command.Time(command.Text("class_grace", "60s"));
      options_.lease_tiles_max = static_cast<int>(command.Number("lease_tiles_max", 1024));
      for (const std::string& quota : command.All("quota")) Quota(command, quota);
    } else if (verb == "at" || verb == "after") {
      out = Advance(command);
    } else if (verb == "restart") {
      Restart();
    } else if (verb == "deadline") {
      const Instant next = scheduler().next_deadline();
      out = next == Instant::Never()
                ? "  none\n"
                : absl::StrCat("  at ", absl::FormatDuration(next.since_start()), "\n");
    } else if (verb == "view") {
      out = View(command);
    } else if (verb == "admit") {
      absl::Duration retry_after;
      const absl::Status status = scheduler().Admit({Spec(command)}, &retry_after);
      out = absl::StrCat("  ", status.ok() ? "OK" : status.ToString(), "\n");
      if (retry_after > absl::ZeroDuration())
        absl::StrAppend(&out, "  ask again in ", absl::FormatDuration(retry_after), "\n");
    } else if (verb == "workers") {
      for (const WorkerView& worker : scheduler().ViewWorkers()) {
        absl::StrAppend(&out, "  ", worker.name, " holds ", worker.leased_tiles, " tiles, did ",
                        worker.accepted_tiles, worker.draining ? ", is drained" : "");
        if (worker.quarantine.has_value()) {
          absl::StrAppend(&out, ", is quarantined for ", absl::FormatDuration(*worker.quarantine));
        }
        if (!worker.blocklisted_for.empty()) {
          absl::StrAppend(&out, ", is blocklisted for ",
                          absl::StrJoin(worker.blocklisted_for, " "));
        }
        out += "\n";
      }
    } else if (verb == "match") {
      for (const MatchView& match : scheduler().Match(Spec(command))) {
        absl::StrAppend(&out, "  ", match.worker,
                        match.eligible ? " may" : absl::StrCat(": ", match.reason), "\n");
      }
    } else if (std::optional<Event> event = Parse(command); event.has_value()) {
      out = Describe(Handle(*event));
    }
    if (!command.error().empty()) {
      return absl::InvalidArgumentError(absl::StrCat("'", line, "': ", command.error()));
    }
    TW_RETURN_IF_ERROR(Annotate(scheduler().CheckInvariants(), line));
    TW_RETURN_IF_ERROR(Annotate(recorded_, line));
    return out;
  }

 private:
  Scheduler& scheduler() {
    if (scheduler_ == nullptr) scheduler_ = std::make_unique<Scheduler>(options_, epoch_);
    return *scheduler_;
  }

  Decisions Handle(const Event& event) {
    Decisions decisions = scheduler().Handle(event, now_);
    for (const Record& record : decisions.records) {
      if (recorded_.ok()) recorded_ = Apply(record, snapshot_);
    }
    return decisions;
  }

  // The next coordinator knows nothing but the records.
  void Restart() { scheduler_ = std::make_unique<Scheduler>(options_, ++epoch_, snapshot_, now_); }

  // Goes to the time in steps of at most 2 s; the workers named after it are heard at each.
  std::string Advance(Command& command) {
    const absl::Duration by = command.Time(command.Word(1));
    const Instant end = command.verb() == "at" ? Instant::FromStart(by) : now_ + by;
    std::string out;
    if (end < now_) command.Fail("time does not go back");
    while (now_ < end) {
      now_ = std::min(now_ + absl::Seconds(2), end);
      for (size_t i = 2; i < command.words(); ++i) {
        Show(Handle(WorkerHeard{command.Word(i)}), &out);
      }
      Show(Handle(Tick{}), &out);
    }
    return out;
  }

  void Show(const Decisions& decisions, std::string* out) {
    const std::string text = Describe(decisions);
    if (!text.empty()) {
      absl::StrAppend(out, " [", absl::FormatDuration(now_.since_start()), "]\n", text);
    }
  }

  std::string View(Command& command) {
    const std::optional<JobView> view = scheduler().ViewJob(command.Word(1));
    if (!view.has_value()) return "  unknown\n";
    static constexpr const char* kPromises[] = {"undecided", "strict", "tolerant"};
    std::string out =
        absl::StrCat("  done ", view->tiles_done, ", leased ", view->tiles_leased, ", attempts ",
                     view->attempts, ", ", kPromises[static_cast<int>(view->promise)], ", classes ",
                     absl::StrJoin(view->numeric_classes, " "), "\n");
    if (view->paused) out += "  paused\n";
    if (view->priority != 0) absl::StrAppend(&out, "  priority ", view->priority, "\n");
    if (!view->failed_tiles.empty())
      absl::StrAppend(&out, "  failed ", absl::StrJoin(view->failed_tiles, " "), "\n");
    if (!view->holes.empty())
      absl::StrAppend(&out, "  holes ", absl::StrJoin(view->holes, " "), "\n");
    for (const auto& [worker, tiles] : view->tiles_by_worker) {
      absl::StrAppend(&out, "  ", worker, " did ", tiles, "\n");
    }
    return out;
  }

  // tenant:share=2:jobs=3:bytes=N:priority=N
  void Quota(Command& command, const std::string& text) {
    const std::vector<std::string> parts = absl::StrSplit(text, ':');
    TenantQuota& quota = options_.quotas[parts[0]];
    for (size_t i = 1; i < parts.size(); ++i) {
      const std::pair<std::string, std::string> limit =
          absl::StrSplit(parts[i], absl::MaxSplits('=', 1));
      int64_t value = 0;
      if (!absl::SimpleAtoi(limit.second, &value)) command.Fail(limit.second + " is no number");
      if (limit.first == "share") {
        quota.share = static_cast<double>(value);
      } else if (limit.first == "jobs") {
        quota.open_jobs_max = static_cast<int>(value);
      } else if (limit.first == "bytes") {
        quota.open_bytes_max = value;
      } else if (limit.first == "priority") {
        quota.priority_max = static_cast<int>(value);
      } else {
        command.Fail(absl::StrCat("there is no limit '", limit.first, "'"));
      }
    }
  }

  static int64_t Leased(Command& command) {
    return static_cast<int64_t>(command.Number("leased", 1e9));
  }

  JobSpec Spec(Command& command) {
    JobSpec spec;
    spec.name = command.Word(1);
    spec.tile_count = static_cast<int64_t>(command.Number("tiles", 1));
    spec.generation = static_cast<uint64_t>(command.Number("generation", 1));
    spec.plan_digest = command.Text("plan", "plan");
    spec.model_digest = command.Text("model", "model");
    spec.model_name = spec.model_digest;
    spec.engine = command.Text("engine", "torch");
    spec.executed_batch = static_cast<int>(command.Number("executed", 1));
    spec.prove_class = command.Flag("strict");
    spec.flops_per_tile = command.Number("flops", 0);
    spec.input_bytes = static_cast<int64_t>(command.Number("input", 0));
    spec.output_bytes = static_cast<int64_t>(command.Number("output", 0));
    spec.tiles_ahead = static_cast<int64_t>(command.Number("ahead", 0));
    spec.leased_max = Leased(command);
    spec.tenant = command.Text("tenant", "default");
    spec.priority = static_cast<int>(command.Number("priority", 0));
    const std::string failed = command.Text("failed", "fail");
    if (failed == "wait") {
      spec.on_failed_tile = OnFailedTile::kWait;
    } else if (failed == "hole") {
      spec.on_failed_tile = OnFailedTile::kHole;
    } else if (failed != "fail") {
      command.Fail("a failed tile means fail, wait or hole");
    }
    if (!command.All("within").empty())
      spec.max_duration = command.Time(command.Text("within", ""));
    spec.tile_timeout = command.Time(command.Text("timeout", "1h"));
    const std::string done = command.Text("done", "");
    const std::string left_out = command.Text("left_out", "");
    const std::string promised = command.Text("promised", "");
    if (!promised.empty()) {
      auto from = std::make_shared<ContinuedTiles>();
      for (const std::string& tile : SetOf(done)) from->accepted.insert(std::stoll(tile));
      for (const std::string& tile : SetOf(left_out)) from->holes.insert(std::stoll(tile));
      from->promise = promised == "tolerant" ? Promise::kTolerant : Promise::kStrict;
      if (promised != "tolerant") from->numeric_class = promised;
      from->classes.insert(promised);
      spec.continued = std::move(from);
    }
    return spec;
  }

  std::optional<Event> Parse(Command& command) {
    const std::string& verb = command.verb();
    if (verb == "submit") return JobSubmitted{Spec(command)};
    if (verb == "pause") return JobPaused{command.Word(1)};
    if (verb == "resume" && absl::StrContains(command.Word(1), "/"))
      return JobResumed{command.Word(1)};
    if (verb == "resume") return WorkerResumed{command.Word(1)};
    if (verb == "priority")
      return JobPriority{command.Word(1), static_cast<int>(command.Number("to", 0))};
    if (verb == "retry") return FailedTilesRetried{command.Word(1)};
    if (verb == "accept_holes") return HolesAccepted{command.Word(1)};
    if (verb == "stop") return JobStopped{command.Word(1), "The user cancelled it."};
    if (verb == "join") {
      WorkerJoined joined;
      joined.worker = command.Word(1);
      joined.incarnation = incarnations_[joined.worker] = command.Text("as", "first");
      joined.offer.engines = SetOf(command.Text("engines", "builtin,torch"));
      joined.offer.dtypes = {"fp32"};
      joined.offer.memory_bytes = static_cast<int64_t>(command.Number("memory", 8LL << 30));
      joined.offer.probe_flops = command.Number("probe", 1e9);
      joined.offer.environment_key = command.Text("key", "cpu");
      joined.offer.credit_tiles = static_cast<int>(command.Number("credit", 64));
      joined.offer.credit_bytes = static_cast<int64_t>(command.Number("bytes", 0));
      return joined;
    }
    if (verb == "heard") return WorkerHeard{command.Word(1)};
    if (verb == "close") {
      const std::string worker = command.Word(1);
      return StreamClosed{worker, command.Text("as", incarnations_[worker])};
    }
    if (verb == "sync") return Sync(command);
    if (verb == "start") return LeaseStarted{command.Word(1), Lease(command)};
    if (verb == "prepare") {
      return LeasePreparing{command.Word(1), Lease(command),
                            static_cast<uint64_t>(command.Number("progress", 0))};
    }
    if (verb == "drop") return LeaseDropped{command.Word(1), Lease(command)};
    if (verb == "result") {
      ResultArrived result;
      result.worker = command.Word(1);
      result.lease = Lease(command);
      result.tile = static_cast<int64_t>(command.Number("tile", 0));
      result.job = command.Text("job", "jobs/1");
      result.generation = static_cast<uint64_t>(command.Number("generation", 1));
      result.incarnation = command.Text("as", incarnations_[result.worker]);
      result.plan_digest = command.Text("plan", "plan");
      result.model_digest = command.Text("model", "model");
      result.numeric_class = command.Text("class", "");
      result.checksum = static_cast<uint64_t>(command.Number("checksum", 0));
      result.constant = command.Flag("constant");
      return result;
    }
    if (verb == "fail") return Failure(command);
    if (verb == "drain") return WorkerDrained{command.Word(1), command.Flag("now")};
    if (verb == "clear") return BlocklistCleared{command.Word(1)};
    if (verb == "canary") {
      CanaryMeasured canary;
      canary.worker = command.Word(1);
      canary.canary = static_cast<uint64_t>(command.Number("number", 0));
      canary.digest = command.Text("digest", "");
      canary.seconds = command.Number("seconds", 0);
      canary.text = command.Text("text", "");
      return canary;
    }
    if (verb == "budget")
      return JobBudget{command.Word(1), static_cast<int64_t>(command.Number("ahead", 0)),
                       Leased(command)};
    if (verb == "hold") return ResultsHeld{true};
    if (verb == "free") return ResultsHeld{false};
    command.Fail("there is no such command");
    return std::nullopt;
  }

  // 3 or 2/3: EPOCH/NUMBER
  LeaseKey Lease(Command& command, const std::string& text) {
    const std::vector<std::string> parts = absl::StrSplit(text, '/');
    if (parts.size() == 1) return {1, command.Integer(parts[0])};
    return {command.Integer(parts[0]), command.Integer(parts[1])};
  }
  // lease=3
  LeaseKey Lease(Command& command) { return Lease(command, command.Text("lease", "0")); }

  // sync w1 seen=4 credit=8 held=3:running:7,8 held=4:queued:9 held=5:finished:1:jobs/2:1
  Event Sync(Command& command) {
    static const auto* const kStates = new std::map<std::string, HeldState>{
        {"queued", HeldState::kQueued},
        {"preparing", HeldState::kPreparing},
        {"running", HeldState::kRunning},
        {"finished", HeldState::kFinished},
    };
    WorkerSynced sync;
    sync.worker = command.Word(1);
    sync.seen_grant_sequence = static_cast<uint64_t>(command.Number("seen", 0));
    sync.credit_tiles = static_cast<int>(command.Number("credit", 64));
    sync.credit_bytes = static_cast<int64_t>(command.Number("bytes", 0));
    for (const std::string& text : command.All("held")) {
      const std::vector<std::string> parts = absl::StrSplit(text, ':');
      if (parts.size() < 3 || parts.size() > 5 || !kStates->contains(parts[1])) {
        command.Fail(absl::StrCat("'", text, "' is not LEASE:STATE:TILES[:JOB[:GENERATION]]"));
        break;
      }
      HeldLease held;
      held.lease = Lease(command, parts[0]);
      held.state = kStates->at(parts[1]);
      held.job = parts.size() > 3 ? parts[3] : "jobs/1";
      held.generation = parts.size() > 4 ? command.Integer(parts[4]) : 1;
      for (const auto& tile : absl::StrSplit(parts[2], ',', absl::SkipEmpty())) {
        held.open_tiles.push_back(static_cast<int64_t>(command.Integer(std::string(tile))));
      }
      sync.held.push_back(held);
    }
    return sync;
  }

  // fail w1 lease=1 tile=0 cause=bad_result text=nan
  Event Failure(Command& command) {
    static const auto* const kCauses = new std::map<std::string, TileFailureCause>{
        {"out_of_memory", TileFailureCause::kOutOfMemory},
        {"launch_timeout", TileFailureCause::kLaunchTimeout},
        {"device_lost", TileFailureCause::kDeviceLost},
        {"bad_result", TileFailureCause::kBadResult},
        {"refused", TileFailureCause::kRefused},
        {"model_error", TileFailureCause::kModelError},
    };
    TileFailed failed;
    failed.worker = command.Word(1);
    failed.lease = Lease(command);
    failed.tile = static_cast<int64_t>(command.Number("tile", 0));
    failed.text = command.Text("text", "");
    failed.peak_bytes = static_cast<int64_t>(command.Number("peak", 0));
    failed.batch = static_cast<int>(command.Number("batch", 1));
    const std::string cause = command.Text("cause", "");
    if (kCauses->contains(cause)) {
      failed.cause = kCauses->at(cause);
    } else {
      command.Fail(absl::StrCat("there is no cause '", cause, "'"));
    }
    return failed;
  }

  SchedulerOptions options_;
  uint64_t epoch_ = 1;
  std::unique_ptr<Scheduler> scheduler_;
  Snapshot snapshot_;
  absl::Status recorded_;  // of the first record that does not follow
  Instant now_;
  std::map<std::string, std::string> incarnations_;
};

}  // namespace

absl::StatusOr<std::string> RunTranscript(const std::string& text) {
  Story story;
  std::string out;
  bool commented = false;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!line.empty() && line[0] == '#') {
      if (!commented && !out.empty()) out += "\n";
      absl::StrAppend(&out, line, "\n");
      commented = true;
    } else if (line.size() > 2 && line.substr(0, 2) == "> ") {
      TW_ASSIGN_OR_RETURN(const std::string decided, story.Run(line.substr(2)));
      absl::StrAppend(&out, line, "\n", decided);
      commented = false;
    }
  }
  return out;
}

}  // namespace tilewright
