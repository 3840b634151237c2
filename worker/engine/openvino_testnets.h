// The test networks as OpenVINO IR, built without Python and without LibTorch. Functions without
// state.

#ifndef TILEWRIGHT_WORKER_ENGINE_OPENVINO_TESTNETS_H_
#define TILEWRIGHT_WORKER_ENGINE_OPENVINO_TESTNETS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace tilewright {

// Writes a model repository to `root`, folders made as needed, existing files replaced. With the
// weights of the networks of the same names in worker/engine/testnets.h, and the suffix -openvino:
//   srvgg16x4, srvgg32x4, reach-R, fill-masked, mix-previous, nan, wrong-shape, hungry
// Errors name the file that could not be written.
absl::Status WriteOpenVinoTestnets(const std::string& root, const std::vector<int>& reaches);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_OPENVINO_TESTNETS_H_
