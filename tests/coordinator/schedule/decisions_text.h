// What the scheduler decided, in the words of the stories. A pure function; thread-safe.

#ifndef TILEWRIGHT_TESTS_COORDINATOR_SCHEDULE_DECISIONS_TEXT_H_
#define TILEWRIGHT_TESTS_COORDINATOR_SCHEDULE_DECISIONS_TEXT_H_

#include <string>

#include "coordinator/schedule/decisions.h"

namespace tilewright {

// One line per decision, each indented by two blanks.
std::string Describe(const Decisions& decisions);

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_COORDINATOR_SCHEDULE_DECISIONS_TEXT_H_
