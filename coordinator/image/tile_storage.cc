#include "coordinator/image/tile_storage.h"

namespace tilewright {

bool StoresAlike(const TileStorage& storage, const CanvasFormat& format,
                 const TiffEncoding& encoding) {
  if (encoding.compression == Compression::kJpeg && storage.jpeg != encoding.jpeg) return false;
  return encoding.compression != Compression::kNone &&
         storage.compression == encoding.compression && storage.side == encoding.tile_side &&
         storage.predictor == UsesPredictor(encoding, format.sample) &&
         storage.channels == format.channels && storage.sample == format.sample;
}

}  // namespace tilewright
