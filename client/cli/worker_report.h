// What the program tells people about workers. Pure functions; thread-safe.

#ifndef TILEWRIGHT_CLIENT_CLI_WORKER_REPORT_H_
#define TILEWRIGHT_CLIENT_CLI_WORKER_REPORT_H_

#include <string>
#include <vector>

#include "tilewright/types.h"

namespace tilewright {

// "ready", or why it gets nothing or less: "draining", "away", "quarantine 0:25",
// "kept from 2 jobs".
std::string StandingText(const Worker& worker);

// A line for each worker; then, if any were measured, what models need on them.
std::string WorkersReport(const std::vector<Worker>& workers);

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_CLI_WORKER_REPORT_H_
