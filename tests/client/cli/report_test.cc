// What people and scripts read about plans and jobs.

#include "client/cli/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cli/documents.h"
#include "client/cli/text_table.h"
#include "client/cli/worker_report.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

using testing::HasSubstr;

Job Finished() {
  Job job;
  job.name = "jobs/a";
  job.state = JobState::kSucceeded;
  job.input = "/in.png";
  job.output = "/o ut.tif";
  job.plan.model = "models/x4/versions/1";
  job.plan.input_width = 100;
  job.plan.input_height = 50;
  job.plan.channels = 3;
  job.plan.output_sample = "u8";
  job.plan.output_width = 400;
  job.plan.output_height = 200;
  job.plan.tile_width = job.plan.tile_height = 32;
  job.plan.halo = 12;
  job.plan.window = "cosine";
  job.plan.columns = 3;
  job.plan.rows = 2;
  job.plan.tiles = 6;
  job.plan.halo_overhead = 1.5;
  job.plan.memory_bytes = 2'000'000;
  job.plan.memory_floor_bytes = 500'000;
  job.plan.disk_bytes = 240'000;
  job.plan.disk_free_bytes = 3'000'000'000;
  job.plan.compression = "deflate 1";
  job.plan.tiff_tile = 512;
  job.plan.overview_levels = 2;
  job.tiles_done = 6;
  job.attempts = 7;
  job.elapsed = absl::Seconds(1.5);
  job.compute = absl::Seconds(1);
  job.workers = {{"a", 4}, {"b", 2}};
  job.events = {{"worker_gone", std::nullopt, "b", "it fell silent", absl::Seconds(0.5)},
                {"tile_lapsed", 0, "", "again", absl::Seconds(0.75)}};
  job.exactness = "exact";
  job.numeric_classes = {"k1"};
  job.promise = "tolerant";
  job.pixel_hash = "00ff";
  job.created = "2026-01-01T00:00:00Z";
  job.tenant = "default";
  job.priority = -2;
  job.copies = 1;
  return job;
}

TEST(JobDocument, HasTheKeysThatScriptsRelyOn) {
  EXPECT_EQ(
      JobDocument(Finished(), {"uploaded"}),
      R"({"job":"jobs/a","state":"succeeded","output":"/o ut.tif","tiles":6,"tiles_done":6,"stage_tiles_done":[],)"
      R"("attempts":7,"seconds":1.5,"compute_seconds":1,"output_width":400,"output_height":200,)"
      R"("workers":[{"name":"a","tiles":4},{"name":"b","tiles":2}],)"
      R"("events":[{"kind":"worker_gone","tile":null,"worker":"b","text":"it fell silent","seconds":0.5},)"
      R"({"kind":"tile_lapsed","tile":0,"worker":"","text":"again","seconds":0.75}],)"
      R"("exactness":"exact","numeric_classes":["k1"],"largest_difference":null,"promise":"tolerant","pixel_hash":"00ff",)"
      R"("created":"2026-01-01T00:00:00Z","error":null,"tenant":"default","priority":-2,)"
      R"("paused":false,"waits_for_decision":false,"failed_tiles":[],"failed_tile_count":0,)"
      R"("holes":[],"hole_count":0,"copies":1,)"
      R"("ladder":{},"constant_results":0,"held_bytes":0,"spilled_bytes":0,)"
      R"("waits_for_room":"","partial_output":"","missing_tile_count":0,)"
      R"("continued_tiles":0,"checkpoint_tiles":0,"copied_blocks":0,)"
      R"("plan":{"model":"models/x4/versions/1","model_digest":"","input_width":100,"input_height":50,"input_pages":1,)"
      R"("channels":3,"output_sample":"u8","tile_width":32,"tile_height":32,"halo":12,"overlap":0,)"
      R"("window":"cosine","columns":3,"rows":2,"skipped_tiles":0,"halo_overhead":1.5,"memory_bytes":2000000,"memory_floor_bytes":500000,)"
      R"("disk_bytes":240000,"disk_free_bytes":3000000000,"compression":"deflate 1","tiff_tile":512,"overview_levels":2,"stages":[],"notes":[],"matches":[]},"notes":["uploaded"]})");
}

TEST(JobDocument, TellsWhyAJobFailed) {
  Job job = Finished();
  job.state = JobState::kFailed;
  job.error = WithReason(absl::ResourceExhaustedError("no \"room\""), "DISK_FULL");
  EXPECT_THAT(
      JobDocument(job, {}),
      HasSubstr(
          R"("error":{"code":"RESOURCE_EXHAUSTED","reason":"DISK_FULL","message":"no \"room\""})"));
}

TEST(JobDocument, NamesHolesAndFailedTiles) {
  Job job = Finished();
  job.holes = {{4, 128, 0, 64, 48}};
  job.hole_count = 1;
  job.failed_tiles = {2, 5};
  job.failed_tile_count = 2;
  job.waits_for_decision = true;
  EXPECT_THAT(JobDocument(job, {}),
              HasSubstr(R"("waits_for_decision":true,"failed_tiles":[2,5],"failed_tile_count":2,)"
                        R"("holes":[{"tile":4,"x":128,"y":0,"width":64,"height":48}],)"
                        R"("hole_count":1,)"));
}

TEST(JobReport, TellsHowFarItsClassesAreKnownToDiffer) {
  Job job = Finished();
  job.numeric_classes = {"k1", "k2"};
  EXPECT_THAT(JobReport(job, false), HasSubstr("exact, tolerant, 2 numeric class(es)\n"));
  job.largest_difference = 0.000012345;
  EXPECT_THAT(JobReport(job, false), HasSubstr("exact, tolerant, 2 numeric class(es), raw outputs "
                                               "known to differ by up to 1.23e-05\n"));
  EXPECT_THAT(JobDocument(job, {}), HasSubstr(R"("largest_difference":1.2345e-05,)"));
}

TEST(JobReport, CountsTheTilesThatWereSkipped) {
  Job job = Finished();
  EXPECT_EQ(JobReport(job, false).find("skipped"), std::string::npos);
  job.plan.skipped_tiles = 4;
  EXPECT_NE(JobReport(job, false).find(", 4 skipped"), std::string::npos) << JobReport(job, false);
}

TEST(JobReport, CountsTheBlocksThatWereCopied) {
  Job job = Finished();
  EXPECT_EQ(JobReport(job, false).find("copied"), std::string::npos);
  job.copied_blocks = 2;
  EXPECT_THAT(JobReport(job, false),
              HasSubstr("copied      2 blocks of the input as stored, not compressed again\n"));
  EXPECT_THAT(JobDocument(job, {}), HasSubstr(R"("copied_blocks":2,)"));
}

TEST(JobReport, TellsWhatWasDoneAboutMemory) {
  Job job = Finished();
  job.ladder = {{"dropped_caches", 3}, {"sub_tiles", 2}};
  job.constant_results = 1;
  EXPECT_THAT(JobDocument(job, {}),
              HasSubstr(R"("ladder":{"dropped_caches":3,"sub_tiles":2},"constant_results":1,)"));
  const std::string report = JobReport(job, false);
  EXPECT_THAT(report, HasSubstr("out of memory  dropped caches 3, sub tiles 2\n"));
  EXPECT_THAT(report, HasSubstr("suspicion      1 tile is one constant though the input is not\n"));
}

TEST(JobReport, TellsWhatARunningJobHolds) {
  Job job = Finished();
  EXPECT_EQ(JobReport(job, false).find("scratch"), std::string::npos);
  job.held_bytes = 12'000'000;
  job.spilled_bytes = 500'000;
  EXPECT_NE(JobReport(job, false).find("12.0 MB at the coordinator, 500.0 kB in its scratch file"),
            std::string::npos)
      << JobReport(job, false);
}

TEST(JobReport, TellsThatTheDiskIsFull) {
  Job job = Finished();
  EXPECT_EQ(JobReport(job, false).find("no room"), std::string::npos);
  job.state = JobState::kMerging;
  job.waits_for_room = "writing /a.tif.partial: No space left on device";
  const std::string report = JobReport(job, false);
  EXPECT_THAT(report, HasSubstr("state       merging, waits for room on the disk\n"));
  EXPECT_THAT(report, HasSubstr("no room     writing /a.tif.partial: No space left on device\n"));
  EXPECT_THAT(JobDocument(job, {}), HasSubstr(R"("waits_for_room":"writing /a.tif)"));
}

TEST(JobReport, TellsWhatAJobLeftThatDidNotSucceed) {
  Job job = Finished();
  EXPECT_EQ(JobReport(job, false).find("left"), std::string::npos);
  job.state = JobState::kCancelled;
  job.partial_output = "/a.partial.tif";
  job.missing_tile_count = 2;
  EXPECT_THAT(JobReport(job, false),
              HasSubstr("left        /a.partial.tif on the coordinator's machine, without 2 tiles, "
                        "named in /a.partial.tif.missing.json\n"));
}

TEST(JobReport, TellsOfGraphsApartFromMemory) {
  Job job = Finished();
  job.ladder = {{"no_graph", 7}};
  const std::string report = JobReport(job, false);
  EXPECT_THAT(report, HasSubstr("CUDA graph  done without for 7 tiles\n"));
  EXPECT_THAT(report, testing::Not(HasSubstr("out of memory")));
}

TEST(JobReport, EndsWithItsHoles) {
  Job job = Finished();
  job.holes = {{4, 128, 0, 64, 48}, {5, 256, 0, 64, 48}};
  job.hole_count = 2;
  EXPECT_THAT(JobReport(job, false), testing::EndsWith("pixel hash  00ff\n"
                                                       "2 holes     tile 4, 64x48 at 128,0\n"
                                                       "            tile 5, 64x48 at 256,0\n"));
}

TEST(JobReport, TellsWhatToTypeWhenItWaitsForADecision) {
  Job job = Finished();
  job.state = JobState::kRunning;
  job.waits_for_decision = true;
  job.failed_tiles = {4};
  job.failed_tile_count = 1;
  const std::string report = JobReport(job, false);
  EXPECT_THAT(report, HasSubstr("state         running, waits for a decision\n"));
  EXPECT_THAT(report, HasSubstr("failed tiles  4\n"));
  EXPECT_THAT(report, HasSubstr("  tilewright jobs accept-holes jobs/a  leaves"));
}

TEST(ErrorText, SaysWhenToAskAgain) {
  EXPECT_EQ(ErrorText(WithRetryAfter(
                WithReason(absl::ResourceExhaustedError("no room"), "QUOTA_EXCEEDED"),
                absl::Seconds(30))),
            "tilewright: no room (try again in 0:30) [QUOTA_EXCEEDED]");
}

TEST(ProgressDocument, IsOneLine) {
  Job job = Finished();
  EXPECT_EQ(
      ProgressDocument(job),
      R"({"type":"progress","job":"jobs/a","state":"succeeded","tiles_done":6,"tiles":6,"stage_tiles_done":[],)"
      R"("percent":100,"megapixels_per_second":0.08,"eta_seconds":null,"workers":2,)"
      R"("paused":false,"waits_for_decision":false,"failed_tile_count":0,"hole_count":0,)"
      R"("waits_for_room":""})");
  job.state = JobState::kRunning;
  job.eta = absl::Seconds(2);
  EXPECT_THAT(ProgressDocument(job), HasSubstr(R"("eta_seconds":2,)"));
}

TEST(Lists, AreObjectsWithOneArray) {
  EXPECT_EQ(JobsDocument({}), R"({"jobs":[]})");
  EXPECT_THAT(JobsDocument({Finished(), Finished()}), HasSubstr(R"("notes":[]},{"job":"jobs/a")"));
  Worker worker;
  worker.name = "a";
  worker.engines = {"builtin", "torch"};
  EXPECT_EQ(WorkersDocument({worker}),
            R"({"workers":[{"name":"a","device_kind":"","device_name":"","build":"",)"
            R"("environment_key":"","engines":["builtin","torch"],"dtypes":[],"threads":0,)"
            R"("memory_total_bytes":0,"memory_free_bytes":0,"probe_flops":0,"leased_tiles":0,)"
            R"("accepted_tiles":0,"silent_seconds":0,"draining":false,"quarantine_seconds":null,)"
            R"("blocklisted_for":[],"blocklisted_count":0,"away":false,)"
            R"("transport":"inline","slot_misses":0,"compute_capability":"",)"
            R"("engine_offers":[],"memory_models":[]}]})");
  worker.compute_capability = "9.0";
  worker.engine_offers = {{"torch", {"fp32", "bf16"}, 0.25}};
  worker.memory_models = {{"00ff", "bf16", 4096, 512.5}};
  EXPECT_THAT(
      WorkersDocument({worker}),
      HasSubstr(R"("compute_capability":"9.0","engine_offers":[{"name":"torch",)"
                R"("dtypes":["fp32","bf16"],"reference_seconds_per_mpx":0.25}],)"
                R"("memory_models":[{"model_digest":"00ff","dtype":"bf16","base_bytes":4096,)"
                R"("bytes_per_pixel":512.5}]})"));
  worker.draining = true;
  worker.quarantine = absl::Seconds(2.5);
  worker.blocklisted_for = {"jobs/a"};
  worker.blocklisted_count = 1;
  worker.shares_memory = true;
  worker.slot_misses = 3;
  EXPECT_THAT(WorkersDocument({worker}),
              HasSubstr(R"("draining":true,"quarantine_seconds":2.5,)"
                        R"("blocklisted_for":["jobs/a"],"blocklisted_count":1,"away":false,)"
                        R"("transport":"segment","slot_misses":3)"));
  Model model;
  model.name = "models/x4/versions/1";
  model.beside = {"mask", "previous"};
  EXPECT_THAT(ModelsDocument({model}), HasSubstr(R"({"models":[{"name":"models/x4/versions/1",)"));
  EXPECT_THAT(ModelsDocument({model}), HasSubstr(R"("beside":["mask","previous"],"exactness")"));
}

TEST(WorkersReport, TellsWhatDevicesCanDo) {
  EXPECT_EQ(WorkersReport({}), "no worker is connected\n");
  Worker worker;
  worker.name = "gpu0";
  worker.device_kind = "cuda";
  worker.device_name = "Example";
  worker.engines = {"builtin", "torch"};
  worker.dtypes = {"fp32", "bf16"};
  worker.memory_total_bytes = 8'000'000'000;
  worker.memory_free_bytes = 6'000'000'000;
  const std::string plain = WorkersReport({worker});
  EXPECT_THAT(plain, HasSubstr("  cuda, Example  builtin, torch  fp32,bf16  0        6.0 GB       "
                               "8.0 GB  "));
  EXPECT_THAT(plain, testing::Not(HasSubstr("A RUN NEEDS"))) << "nothing was measured";
  worker.compute_capability = "8.6";
  worker.engine_offers = {{"builtin", {"fp32"}, 0}, {"torch", {"fp32", "bf16"}, 0.125}};
  worker.memory_models = {{"0123456789abcdef", "bf16", 4'000'000, 1500}};
  const std::string measured = WorkersReport({worker});
  EXPECT_THAT(measured, HasSubstr("  cuda 8.6, Example  builtin, torch 0.125 s/Mpx  "));
  EXPECT_THAT(measured, HasSubstr("\ngpu0    0123456789ab  bf16   4.0 MB + 1.5 kB a pixel\n"));
}

TEST(PlanReport, NamesGridCostAndWorkers) {
  Plan plan = Finished().plan;
  plan.matches = {{"a", true, ""}, {"b", false, "it has no engine torch"}};
  plan.notes = {"the tile was rounded down to 32"};
  EXPECT_EQ(PlanReport(plan),
            "model          models/x4/versions/1\n"
            "input          100x50, 3 channels\n"
            "output         400x200 u8\n"
            "tiles          3 x 2 = 6 of 32x32, halo 12, overlap 0, window cosine\n"
            "halo overhead  1.50x the picture goes through the model\n"
            "memory         about 2.0 MB at the coordinator, at least 500.0 kB\n"
            "disk           240.0 kB uncompressed, 3.0 GB free\n"
            "file           TIFF in tiles of 512, compression deflate 1, 2 overviews\n"
            "workers        a: can do it\n"
            "               b: no, it has no engine torch\n"
            "note           the tile was rounded down to 32\n");
  plan.matches.clear();
  EXPECT_THAT(PlanReport(plan), HasSubstr("workers        none is connected\n"));
}

TEST(JobReport, TellsTheWholeStory) {
  EXPECT_EQ(JobReport(Finished(), true),
            "job         jobs/a\n"
            "state       succeeded\n"
            "input       /in.png\n"
            "output      /o ut.tif\n"
            "model       models/x4/versions/1\n"
            "size        100x50 -> 400x200\n"
            "tiles       6 of 6 (3 x 2), 7 attempts, 1 copy\n"
            "priority    -2, tenant default\n"
            "time        1.50 s, 0.08 Mpx/s of output while computing\n"
            "workers     a 4, b 2\n"
            "bits        exact, tolerant, 1 numeric class(es)\n"
            "pixel hash  00ff\n"
            "events\n"
            "      0.50 s  worker_gone, worker b: it fell silent\n"
            "      0.75 s  tile_lapsed, tile 0: again\n");
}

TEST(ErrorText, EndsWithTheReason) {
  EXPECT_EQ(ErrorText(WithReason(absl::NotFoundError("no such file"), "INPUT_MISSING")),
            "tilewright: no such file [INPUT_MISSING]");
  EXPECT_EQ(ErrorText(absl::NotFoundError("no such job")), "tilewright: no such job");
}

TEST(Printable, KeepsTerminalsSafe) {
  EXPECT_EQ(Printable(absl::string_view("a\0b\x1b[2Jc\n\x7fä", 12)), "a?b?[2Jc??ä");
  EXPECT_EQ(ErrorText(absl::NotFoundError("\x1b[31mred")), "tilewright: ?[31mred");
  EXPECT_EQ(TextTable({{"a\tb", "c"}}), "a?b  c\n");
}

TEST(TextTable, AlignsByCharacters) {
  EXPECT_EQ(TextTable({{"A", "B"}, {"äöü", ""}, {"x", "y"}}), "A    B\näöü\nx    y\n");
}

}  // namespace
}  // namespace tilewright
