#include "coordinator/jobs/job_facts.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "coordinator/image/output_format.h"
#include "proto/wire/tile_types.h"

namespace tilewright {
namespace {

std::string FileFact(const v1::FileFacts& file) {
  return absl::StrCat("inode ", file.inode(), " of ", file.size(), " bytes, changed at ",
                      file.mtime_ns());
}

}  // namespace

std::string WhyNotContinued(const ResolvedJob& job) {
  if (!job.uploads.empty()) return "its input was uploaded, and goes with the job";
  if (job.output_path.empty()) return "its output is for download, and goes with the job";
  return "";
}

JobFacts FactsOf(const ResolvedJob& job) {
  const v1::RenderRequest& request = job.request;
  JobFacts facts;
  for (const ResolvedStage& stage : job.before) {
    facts.push_back({absl::StrCat("stage ", stage.number),
                     absl::StrCat(stage.model->model.name(), " ", stage.stage.model_digest(),
                                  ", plan ", stage.stage.plan_digest(), " ",
                                  stage.plan->Canonical(), ", batch ", stage.stage.batch())});
  }
  facts.push_back({"model", absl::StrCat(job.model->model.name(), " ", job.stage.model_digest())});
  facts.push_back({"plan", absl::StrCat(job.stage.plan_digest(), " ", job.plan->Canonical())});
  const std::string page =
      request.input_page() == 0 ? "" : absl::StrCat(", page ", request.input_page());
  facts.push_back({"input", absl::StrCat(FileFact(job.input_facts), page)});
  facts.push_back({"mask", request.mask().empty() ? "none" : FileFact(job.mask_facts)});
  facts.push_back(
      {"previous frame", request.previous().empty() ? "none" : FileFact(job.previous_facts)});
  facts.push_back({"region", request.has_region() ? ToString(FromWire(request.region())) : "all"});
  facts.push_back(
      {"output", absl::StrCat(Describe(job.encoding), ", level ", job.encoding.level, ", quality ",
                              job.encoding.jpeg_quality, ", tiles of ", job.encoding.tile_side,
                              job.encoding.predictor ? "" : ", no predictor",
                              job.encoding.jpeg.has_value() ? ", as the input's" : "", ", of ",
                              job.written.channels, " ", SampleTypeName(job.written.sample),
                              job.decided ? ", decided" : "",
                              request.output_options().overviews() ? ", overviews" : "", ", kind ",
                              static_cast<int>(job.kind), " of ", ToString(job.published_size()))});
  facts.push_back({"batch", absl::StrCat(job.stage.batch())});
  facts.push_back({"promise", request.strict() ? "strict, proven" : "presumed"});
  return facts;
}

JobFacts AllFactsOf(const ResolvedJob& job) {
  JobFacts facts = FactsOf(job);
  facts.push_back({"number of tiles", absl::StrCat(job.wanted->count())});
  return facts;
}

std::string Difference(const JobFacts& here, const JobFacts& there) {
  for (size_t i = 0; i < std::max(here.size(), there.size()); ++i) {
    if (i >= here.size() || i >= there.size() || here[i].name != there[i].name) {
      return "it was written by another version";
    }
    if (here[i].value != there[i].value) {
      return absl::StrCat("its ", here[i].name, " is ", here[i].value, ", there it was ",
                          there[i].value);
    }
  }
  return "";
}

}  // namespace tilewright
