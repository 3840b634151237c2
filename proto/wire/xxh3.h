// XXH3 with the widest instructions that this processor has; the values are the same with all of
// them. Internal to proto/wire.

#ifndef TILEWRIGHT_PROTO_WIRE_XXH3_H_
#define TILEWRIGHT_PROTO_WIRE_XXH3_H_

#include <xxhash.h>

#if defined(__x86_64__) && __has_include(<xxh_x86dispatch.h>)
#include <xxh_x86dispatch.h>  // replaces XXH3_64bits and XXH3_64bits_update
#endif

#endif  // TILEWRIGHT_PROTO_WIRE_XXH3_H_
