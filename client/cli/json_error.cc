#include "client/cli/json_error.h"

#include "tilewright/error.h"

namespace tilewright {

void WriteError(JsonWriter& json, const absl::Status& error) {
  if (error.ok()) {
    json.Null();
    return;
  }
  json.BeginObject();
  json.Key("code").String(absl::StatusCodeToString(error.code()));
  json.Key("reason").String(ErrorReason(error));
  json.Key("message").String(error.message());
  json.EndObject();
}

}  // namespace tilewright
