#include "coordinator/jobs/beside_image.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/image/decoded_copy.h"
#include "coordinator/jobs/combined_inputs.h"
#include "coordinator/jobs/tile_inputs.h"
#include "coordinator/models/manifest.h"
#include "proto/base/status_macros.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

absl::Status BesideError(const char* reason, std::string text) {
  return WithReason(absl::InvalidArgumentError(std::move(text)), reason);
}

absl::Status CheckPrevious(const v1::TensorManifest& input, const ImageInfo& image,
                           const ImageInfo& previous) {
  if (!(previous.size == image.size)) {
    return BesideError(
        "BAD_PREVIOUS",
        absl::StrCat("the previous frame has ", ToString(previous.size), " pixels, the image ",
                     ToString(image.size), ": they must be equally large"));
  }
  if (static_cast<uint32_t>(previous.channels) != input.channels()) {
    return BesideError("BAD_PREVIOUS", absl::StrCat("the previous frame has ", previous.channels,
                                                    " channels, the model takes ", input.channels(),
                                                    ": convert it, or choose another one"));
  }
  if (previous.metadata.orientation != image.metadata.orientation) {
    return BesideError(
        "BAD_PREVIOUS",
        absl::StrCat("the previous frame is stored with the orientation ",
                     previous.metadata.orientation, ", the image with ", image.metadata.orientation,
                     ": give one that is turned as the image is, such as a TIFF "
                     "rendered from it"));
  }
  return absl::OkStatus();
}

PixelsBeside MaskPixels(const Mask& mask) {
  PixelsBeside pixels;
  pixels.read = [&mask](const Rect& rect, absl::Span<std::byte> samples) {
    std::vector<std::byte> read;
    TW_RETURN_IF_ERROR(mask.Read(rect, read));
    std::copy(read.begin(), read.end(), samples.begin());
    return absl::OkStatus();
  };
  pixels.channels = 1;
  pixels.sample = mask.sample();
  return pixels;
}

PixelsBeside PreviousPixels(ImageReader* reader, const ImageInfo& info) {
  PixelsBeside pixels;
  if (reader != nullptr) {
    pixels.read = [reader](const Rect& rect, absl::Span<std::byte> samples) {
      return reader->Read(rect, PadMode::kZero, samples);
    };
  }
  pixels.channels = info.channels;
  pixels.sample = info.sample;
  return pixels;
}

}  // namespace

bool TakesMore(const RepositoryModel& model) { return model.model.manifest().inputs_size() > 1; }

absl::Status CheckBeside(const v1::RenderRequest& request, const RepositoryModel& model) {
  const std::string& name = model.model.name();
  const v1::ModelManifest& manifest = model.model.manifest();
  if (TakesMore(model) && request.stages_size() > 1) {
    return BesideError("BAD_REQUEST",
                       absl::StrCat(name, " takes '", manifest.inputs(1).name(),
                                    "' beside the image, which a job of several stages cannot "
                                    "give it: render one stage after the other"));
  }
  if (FindInput(manifest, kMaskInput) != nullptr && request.mask().empty()) {
    return BesideError("MASK_MISSING",
                       absl::StrCat(name, " takes a mask beside the image: give one (--mask)"));
  }
  if (FindInput(manifest, kPreviousInput) == nullptr && !request.previous().empty()) {
    return BesideError("BAD_PREVIOUS",
                       absl::StrCat(name,
                                    " takes no previous frame: leave it away, or choose a "
                                    "model that takes one"));
  }
  return absl::OkStatus();
}

absl::Status ResolveBeside(ResolvedJob* job, std::vector<std::string>* notes) {
  const v1::ModelManifest& manifest = job->model->model.manifest();
  for (int i = 1; i < manifest.inputs_size(); ++i) {
    const v1::TensorManifest& input = manifest.inputs(i);
    if (input.name() == kMaskInput) {
      job->beside.push_back(InfoOfCopy(job->mask_reader->info()));
    } else if (job->previous_reader != nullptr) {
      const ImageInfo& previous = job->previous_reader->info();
      TW_RETURN_IF_ERROR(CheckPrevious(input, job->reader->info(), previous));
      job->beside.push_back(InfoOfCopy(previous));
    } else {
      notes->push_back("there is no previous frame: the model gets zeros for it");
      ImageInfo& zeros = job->beside.emplace_back();
      zeros.channels = static_cast<int>(input.channels());
      zeros.sample = job->reader->info().sample;
    }
  }
  return absl::OkStatus();
}

std::shared_ptr<TileSource> InputsOf(const ResolvedJob& job, const std::string& scratch) {
  if (job.beside.empty()) {
    return std::make_shared<TileInputs>(*job.plan, *job.reader, scratch);
  }
  const v1::ModelManifest& manifest = job.model->model.manifest();
  std::vector<PixelsBeside> beside;
  for (size_t i = 0; i < job.beside.size(); ++i) {
    const v1::TensorManifest& input = manifest.inputs(static_cast<int>(i) + 1);
    beside.push_back(input.name() == kMaskInput
                         ? MaskPixels(*job.mask)
                         : PreviousPixels(job.previous_reader.get(), job.beside[i]));
    beside.back().range = {input.range().lo(), input.range().hi()};
  }
  return std::make_shared<CombinedInputs>(*job.plan, *job.reader, std::move(beside));
}

}  // namespace tilewright
