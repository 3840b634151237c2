// An error in a JSON document. Pure; thread-safe.

#ifndef TILEWRIGHT_CLIENT_CLI_JSON_ERROR_H_
#define TILEWRIGHT_CLIENT_CLI_JSON_ERROR_H_

#include "absl/status/status.h"
#include "client/cli/json_writer.h"

namespace tilewright {

// null, or {code, reason, message}.
void WriteError(JsonWriter& json, const absl::Status& error);

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_CLI_JSON_ERROR_H_
