#include "worker/engine/testnet_package.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"

namespace tilewright {

TestnetPackage SrvggPackage(int body, const std::string& suffix) {
  return {.name = absl::StrCat("srvgg", body, "x4", suffix),
          .description = absl::StrCat("SRVGG-class upscaler by 4, ", body,
                                      " body convolutions, random weights."),
          .scale = 4,
          .halo = body + 2,
          .channels = 3,
          .tile = 256,
          .flops = 2.0 * 9 * (3 * 64 + body * 64 * 64 + 64 * 48)};
}

absl::StatusOr<TestnetPackage> ReachPackage(int radius, const std::string& suffix) {
  if (radius < 1 || radius > 256) {
    return absl::InvalidArgumentError(
        absl::StrCat("a reach of ", radius, " pixels is not between 1 and 256"));
  }
  return TestnetPackage{.name = absl::StrCat("reach-", radius, suffix),
                        .description = absl::StrCat("Adds an eighth of the four pixels ", radius,
                                                    " away diagonally."),
                        .scale = 1,
                        .halo = radius,
                        .channels = 3,
                        .tile = std::max(128, 4 * radius),
                        .flops = 36};
}

TestnetPackage FillMaskedPackage(const std::string& suffix) {
  return {.name = absl::StrCat("fill-masked", suffix),
          .description = "Blurs the image where the mask says so.",
          .halo = 2,
          .flops = 80,
          .beside = "mask",
          .channels_beside = 1};
}

TestnetPackage MixPreviousPackage(const std::string& suffix) {
  return {.name = absl::StrCat("mix-previous", suffix),
          .description = "Mixes the image with the frame before.",
          .flops = 9,
          .beside = "previous",
          .channels_beside = 3};
}

absl::StatusOr<std::string> WritePackage(const std::string& root, const TestnetPackage& package,
                                         const std::string& engine, const std::string& entry,
                                         bool halves) {
  const std::filesystem::path folder = std::filesystem::path(root) / package.name / "1";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat("cannot make the folder ", folder.string(), ": ", error.message()));
  }
  const std::string path = (folder / "manifest.textproto").string();
  std::ofstream manifest(path, std::ios::trunc);
  manifest << absl::Substitute(
      "description: \"$0\"\nengine: \"$1\"\nentry: \"$2\"\nscale_p: $3\nhalo: $4\n"
      "default_tile: $5\nflops_per_pixel: $6\nexactness: EXACTNESS_KIND_EXACT\n"
      "inputs { name: \"image\" channels: $7 }\noutputs { name: \"image\" channels: $8$9 }\n",
      package.description, engine, entry, package.scale, package.halo, package.tile, package.flops,
      package.channels, package.channels_out == 0 ? package.channels : package.channels_out,
      package.labels   ? " range { hi: 255 } merge: MERGE_KIND_CUT"
      : package.logits ? " decision: DECISION_KIND_GREATEST"
                       : "");
  if (!package.beside.empty()) {
    manifest << absl::Substitute("inputs { name: \"$0\" channels: $1 }\n", package.beside,
                                 package.channels_beside);
  }
  if (package.reduction > 1) {
    manifest << absl::Substitute("scale_q: $0\nalignment: $0\n", package.reduction);
  }
  if (halves) manifest << "dtypes: \"fp32\"\ndtypes: \"fp16\"\ndtypes: \"bf16\"\n";
  manifest.close();
  if (manifest) return folder.string();
  return absl::UnavailableError(absl::StrCat("cannot write ", path));
}

}  // namespace tilewright
