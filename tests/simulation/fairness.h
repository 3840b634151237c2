// Jobs that compete: while all of them have tiles left, each is served by its tenant's share and
// its priority. Thread-safe: runs share nothing.

#ifndef TILEWRIGHT_TESTS_SIMULATION_FAIRNESS_H_
#define TILEWRIGHT_TESTS_SIMULATION_FAIRNESS_H_

#include <cstdint>
#include <string>

namespace tilewright::simulation {

// A cluster from the seed with two to four jobs of one to three tenants, all submitted at once and
// long. What went wrong: in general, or because at the first job's end another one had received
// less than half, or more than twice, of what its share promised. Empty: nothing.
std::string RunFairness(uint64_t seed);

}  // namespace tilewright::simulation

#endif  // TILEWRIGHT_TESTS_SIMULATION_FAIRNESS_H_
