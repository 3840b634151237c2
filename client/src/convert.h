// Between the public structs and the generated messages. Pure; thread-safe.

#ifndef TILEWRIGHT_CLIENT_SRC_CONVERT_H_
#define TILEWRIGHT_CLIENT_SRC_CONVERT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tilewright/types.h"
#include "tilewright/v1/model_service.pb.h"
#include "tilewright/v1/pool_service.pb.h"
#include "tilewright/v1/render_service.pb.h"

namespace tilewright {

Job JobFromProto(const v1::Job& proto);
Model ModelFromProto(const v1::Model& proto);
Worker WorkerFromProto(const v1::WorkerInfo& proto);

// Everything but input, input_facts and output, which depend on what is shared.
// INVALID_ARGUMENT for samples of no known type.
absl::StatusOr<v1::RenderRequest> RequestToProto(const RenderRequest& request);

// jobs/ID of either jobs/ID or ID.
std::string JobName(absl::string_view job);

// The path of a file: URI, for people; what is no file: URI stays as it is.
std::string PathOrUri(absl::string_view uri);

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_SRC_CONVERT_H_
