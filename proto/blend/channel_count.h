// How many samples a pixel may have. Pure.

#ifndef TILEWRIGHT_PROTO_BLEND_CHANNEL_COUNT_H_
#define TILEWRIGHT_PROTO_BLEND_CHANNEL_COUNT_H_

namespace tilewright {

// Of an image, a tensor and a result. More than four are an array: values that are no colours.
inline constexpr int kChannelsMax = 64;

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_BLEND_CHANNEL_COUNT_H_
