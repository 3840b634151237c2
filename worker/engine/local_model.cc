#include "worker/engine/local_model.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "proto/wire/model_digest.h"

namespace tilewright {
namespace {

class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (text.empty()) text = absl::StrCat(line + 1, ":", column + 1, ": ", message);
  }
  std::string text;
};

}  // namespace

absl::StatusOr<LocalModel> OpenLocalModel(const std::string& folder, absl::string_view digest) {
  LocalModel model;
  std::error_code error;
  model.folder = std::filesystem::absolute(folder, error).string();
  TW_ASSIGN_OR_RETURN(model.digest, DigestModelFolder(folder));
  if (model.digest != digest) {
    return absl::DataLossError(absl::StrCat("model folder ", folder, " has the digest ",
                                            model.digest, ", not ", digest,
                                            "; remove it, so that it is fetched again"));
  }
  const std::string path = absl::StrCat(folder, "/manifest.textproto");
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  const std::string text((std::istreambuf_iterator<char>(stream)),
                         std::istreambuf_iterator<char>());
  FirstError errors;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  if (!parser.ParseFromString(text, &model.manifest)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ":", errors.text));
  }
  return model;
}

}  // namespace tilewright
