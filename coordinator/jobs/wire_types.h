// Lease ids, between the words of the core and those of the protocol; for tiles see
// proto/wire/tile_types.h. Pure functions; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_WIRE_TYPES_H_
#define TILEWRIGHT_COORDINATOR_JOBS_WIRE_TYPES_H_

#include "coordinator/schedule/types.h"
#include "tilewright/v1/tile.pb.h"

namespace tilewright {

inline void SetWire(const LeaseKey& lease, v1::LeaseId* wire) {
  wire->set_epoch(lease.epoch);
  wire->set_sequence(lease.sequence);
}
inline LeaseKey FromWire(const v1::LeaseId& wire) { return {wire.epoch(), wire.sequence()}; }

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_WIRE_TYPES_H_
