// What can go wrong in a simulated cluster: named faults, each of which can be switched off alone.
// Value types and pure functions; thread-safe.

#ifndef TILEWRIGHT_TESTS_SIMULATION_FAULTS_H_
#define TILEWRIGHT_TESTS_SIMULATION_FAULTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tilewright::simulation {

enum class Fault {
  // Of workers.
  kSlowDown,     // computes 4 to 64 times slower for a while
  kCrash,        // the process dies; another incarnation comes after a while
  kHang,         // the device stands still while the control thread goes on
  kWrongDigest,  // results name another plan or model for a while
  kWrongClass,   // results name another numeric class for a while
  kOutOfMemory,  // the next tile does not fit
  kTileFailure,  // the next tile fails, for any cause
  kDamage,       // the next result is damaged on its way
  kLeave,        // leaves for good manners' sake, and may come back
  kGiveUp,       // drops a lease that nobody took back
  kStall,        // the next preparation stands still
  kCanary,       // the next canary fails
  kCredit,       // holds more or less from now on
  kPoison,       // some tiles fail wherever they run
  kOldResult,    // offers a result of an earlier generation
  kRepeat,       // offers a result twice
  // Of the network between one worker and the coordinator.
  kCutControl,
  kCutInputs,
  kCutResults,
  kPartition,  // nothing passes for a while
  kOneWay,     // nothing passes in one direction
  // Of coordinators.
  kCoordinatorCrash,  // between any persist and any send
  kCanvasLost,        // a crash that loses what was merged: the jobs start a new generation
  kTwoCoordinators,   // the one given up for dead still lives, and some workers reach it
  // Of users.
  kPause,
  kPriority,
  kCancel,
  kDrain,
  kClear,  // of blocklists
  // Of merging.
  kResultsHeld,  // results are not taken in for a while
  kWavefront,    // a job's tiles may lie less far apart for a while
  // Of what users ask for.
  kMaxDuration,  // some jobs must end within a time
  kQuota,        // tenants may have no more than one open job, or little output, at once
  kByteCredit,   // some workers hold few bytes
};
inline constexpr int kFaults = static_cast<int>(Fault::kByteCredit) + 1;

// "slow-down"
const char* Name(Fault fault);
std::optional<Fault> FaultByName(const std::string& name);

class FaultSet {
 public:
  static FaultSet All() { return FaultSet((uint64_t{1} << kFaults) - 1); }
  static FaultSet None() { return FaultSet(0); }
  bool Has(Fault fault) const { return (bits_ >> static_cast<int>(fault) & 1) != 0; }
  FaultSet With(Fault fault) const { return FaultSet(bits_ | Bit(fault)); }
  FaultSet Without(Fault fault) const { return FaultSet(bits_ & ~Bit(fault)); }
  FaultSet And(FaultSet other) const { return FaultSet(bits_ & other.bits_); }
  bool empty() const { return bits_ == 0; }
  std::vector<Fault> List() const;
  std::string ToString() const;  // names with commas between; "none"

 private:
  explicit FaultSet(uint64_t bits) : bits_(bits) {}
  static uint64_t Bit(Fault fault) { return uint64_t{1} << static_cast<int>(fault); }
  uint64_t bits_;
};

}  // namespace tilewright::simulation

#endif  // TILEWRIGHT_TESTS_SIMULATION_FAULTS_H_
