// What the program tells people about plans and jobs. Pure functions; thread-safe.

#ifndef TILEWRIGHT_CLIENT_CLI_REPORT_H_
#define TILEWRIGHT_CLIENT_CLI_REPORT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tilewright/types.h"

namespace tilewright {

// Grid, halo overhead, memory, disk, and which workers match or why not.
std::string PlanReport(const Plan& plan);

// What became of a job, who did how much, what its bits are worth; with its events if asked.
std::string JobReport(const Job& job, bool with_events);

// "worker_gone, tile 7, worker a: it fell silent".
std::string EventText(const Event& event);

// "no such file [INPUT_MISSING]"; with "(try again in 0:30)" where the error says when.
std::string ErrorSentence(const absl::Status& error);
// The same after the program's name: "tilewright: no such file [INPUT_MISSING]".
std::string ErrorText(const absl::Status& error);

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_CLI_REPORT_H_
