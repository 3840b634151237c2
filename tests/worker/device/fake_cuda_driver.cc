// A CUDA driver of two devices, to be found by its soname.

#include <cstddef>
#include <cstdio>

extern "C" {

int cuInit(unsigned) { return 0; }

int cuDeviceGetCount(int* devices) {
  *devices = 2;
  return 0;
}

int cuDeviceGet(int* device, int index) {
  *device = 100 + index;  // a handle, not the index
  return 0;
}

int cuDeviceGetName(char* text, int size, int device) {
  std::snprintf(text, static_cast<size_t>(size), "Fake %d", device);
  return 0;
}

int cuDeviceTotalMem_v2(size_t* bytes, int device) {
  *bytes = static_cast<size_t>(device) << 20;
  return 0;
}

// Device 0 is of 8.6, device 1 does not say.
int cuDeviceGetAttribute(int* value, int attribute, int device) {
  if (device != 100) return 101;
  *value = attribute == 75 ? 8 : attribute == 76 ? 6 : -1;
  return 0;
}
}
