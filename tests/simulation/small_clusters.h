// Small clusters for one question each: whether competing jobs are served by their shares,
// whether slowness is forgiven, and whether a worker that lies is put aside. Thread-safe: runs
// share nothing.

#ifndef TILEWRIGHT_TESTS_SIMULATION_SMALL_CLUSTERS_H_
#define TILEWRIGHT_TESTS_SIMULATION_SMALL_CLUSTERS_H_

#include <cstdint>
#include <string>

namespace tilewright::simulation {

// A cluster from the seed with two to four jobs of one to three tenants, all submitted at once and
// long. What went wrong: in general, or because at the first job's end another one had received
// less than half, or more than twice, of what its share promised. Empty: nothing.
std::string RunFairness(uint64_t seed);

// Workers that slow down again and again, up to 64 times: their leases lapse, and nothing may be
// held against them or their tiles.
std::string RunSlowdowns(uint64_t seed);

// Twelve jobs on four to eight workers, one of which only ever answers with lies. It must be put
// aside: without that it spoils as many tiles of every job as it takes to be kept from that job.
std::string RunLiar(uint64_t seed);

}  // namespace tilewright::simulation

#endif  // TILEWRIGHT_TESTS_SIMULATION_SMALL_CLUSTERS_H_
