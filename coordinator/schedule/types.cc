#include "coordinator/schedule/types.h"

namespace tilewright {

const char* TileFailureCauseName(TileFailureCause cause) {
  switch (cause) {
    case TileFailureCause::kOutOfMemory:
      return "out of memory";
    case TileFailureCause::kLaunchTimeout:
      return "launch timeout";
    case TileFailureCause::kDeviceLost:
      return "device lost";
    case TileFailureCause::kBadResult:
      return "bad result";
    case TileFailureCause::kRefused:
      return "refused";
    case TileFailureCause::kModelError:
      return "model error";
  }
  return "unknown cause";
}

}  // namespace tilewright
