#include "worker/device/malloc_tuning.h"

#include <malloc.h>

#include <climits>

namespace tilewright {

bool TuneMalloc() {
#if defined(M_MMAP_THRESHOLD) && defined(M_ARENA_MAX)
  // mallopt takes an int: 4 GiB would become 0, and every allocation a mapping of its own. One
  // arena, because an arena other than the main one ends at 64 MiB.
  int accepted = mallopt(M_MMAP_THRESHOLD, 1 << 30);
  accepted += mallopt(M_TRIM_THRESHOLD, INT_MAX);
  accepted += mallopt(M_TOP_PAD, 64 << 20);
  accepted += mallopt(M_ARENA_MAX, 1);
  return accepted == 4;
#else
  return false;
#endif
}

void ReturnFreeMemory() {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

}  // namespace tilewright
