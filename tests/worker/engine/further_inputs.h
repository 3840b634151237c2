// What the test networks of two inputs give, computed by plain loops: fill-masked and mix-previous.
// Functions of values; thread-safe.

#ifndef TILEWRIGHT_TESTS_WORKER_ENGINE_FURTHER_INPUTS_H_
#define TILEWRIGHT_TESTS_WORKER_ENGINE_FURTHER_INPUTS_H_

#include "tests/worker/engine/tiling.h"
#include "worker/engine/engine.h"

namespace tilewright {

// Of three channels of the image and one of the mask.
Picture FilledByHand(const Picture& tiles);
// Of three channels of the image and three of the frame before.
Picture MixedByHand(const Picture& tiles);

// Runs both networks whole and tile by tile and expects what the loops give; as controls, that the
// loops give something else if the inputs are exchanged or cut off too early.
void ExpectFurtherInputs(Engine& engine, const LocalModel& fill, const LocalModel& mix);

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_WORKER_ENGINE_FURTHER_INPUTS_H_
