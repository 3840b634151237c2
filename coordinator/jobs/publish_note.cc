#include "coordinator/jobs/publish_note.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "coordinator/image/partial_claim.h"
#include "coordinator/jobs/checkpoint.h"
#include "coordinator/jobs/state_folder.h"

namespace tilewright {
namespace {

// Removes what lies beside it, if it was published.
void Settle(const std::string& output) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(output, error)) return;
  // While there is a partial file, it is unfinished, or another job's.
  if (!PartialClaim::Create(PartialClaim::PathFor(output), /*overwrite=*/false).ok()) return;
  RemoveCheckpoint(output);
}

}  // namespace

PublishNote::PublishNote(const std::string& folder, const std::string& output)
    : path_(absl::StrCat(folder, "/", RandomId())) {
  WriteFileDurably(path_, output).IgnoreError();  // as the header says
}

PublishNote::~PublishNote() { unlink(path_.c_str()); }

void SettleNotes(const std::string& folder) {
  std::error_code error;
  for (const auto& note : std::filesystem::directory_iterator(folder, error)) {
    std::ifstream file(note.path(), std::ios::binary);
    const std::string output((std::istreambuf_iterator<char>(file)), {});
    if (!output.empty()) Settle(output);
    std::filesystem::remove(note.path(), error);
  }
}

}  // namespace tilewright
