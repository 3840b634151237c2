#define TILEWRIGHT_KERNEL_TABLE kAvx2Kernels
#include "proto/blend/row_kernels.inc"
