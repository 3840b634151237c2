// Networks with known weights, written as TorchScript without Python: those that tests and
// benchmarks run, and the one that ships as lanczos4x-torch. The same program writes the same
// networks everywhere. Functions without state.

#ifndef TILEWRIGHT_WORKER_ENGINE_TESTNETS_H_
#define TILEWRIGHT_WORKER_ENGINE_TESTNETS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace tilewright {

// Writes a model repository to `root`, folders made as needed, existing files replaced:
//   srvgg2x4, srvgg16x4, srvgg32x4
//                         SRVGG-class upscalers by 4 with 2, 16 and 32 body convolutions, radius 4,
//                         18 and 34; any dtype
//   reach-R               for each R of `reaches` (1 to 256): scale 1; a pixel changes the output R
//                         pixels away by 1/8
//   grey-sharpen          a model of one channel, radius 1
//   encode-8, decode-8    3 channels to 4 of an eighth of the size, and back: radius 0 and 1
//   features-12, fold-12  3 channels to 12 and back, radius 1 and 0
//   segment               3 channels to labels 0, 1 and 2, radius 2
//   logits-5              3 channels to 5 logits, radius 4
//   fill-masked           takes a mask beside the image, radius 2
//   mix-previous          takes a previous frame beside the image, radius 0
//   nan                   gives NaN wherever the tile is not constant
//   wrong-shape           gives half the size that its manifest promises
//   raises                raises an exception
//   hungry                allocates more memory than there is
// Errors name the file that could not be written.
absl::Status WriteTestnets(const std::string& root, const std::vector<int>& reaches);

// Writes the network of lanczos4x-torch to `path`: the builtin operator lanczos4x as two
// convolutions.
absl::Status WriteLanczos4x(const std::string& path);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_TESTNETS_H_
