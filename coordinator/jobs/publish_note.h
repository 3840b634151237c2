// Which outputs a coordinator was giving their names when it died: what still lies beside such an
// output is no unfinished work, and the next coordinator removes it. A note belongs to one thread.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_PUBLISH_NOTE_H_
#define TILEWRIGHT_COORDINATOR_JOBS_PUBLISH_NOTE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace tilewright {

// A file in a folder of notes, from before the output gets its name until nothing lies beside it.
class PublishNote {
 public:
  // Without room for the note there is none: what a death would leave then stays until the next job
  // on that output.
  PublishNote(const std::string& folder, const std::string& output);
  // Removes it.
  ~PublishNote();
  PublishNote(const PublishNote&) = delete;
  PublishNote& operator=(const PublishNote&) = delete;

 private:
  const std::string path_;
};

// For a coordinator that starts: removes the notes, and the checkpoints of those outputs that have
// their names. What may be unfinished work stays.
void SettleNotes(const std::string& folder);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_PUBLISH_NOTE_H_
