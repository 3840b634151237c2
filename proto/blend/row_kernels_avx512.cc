#define TILEWRIGHT_KERNEL_TABLE kAvx512Kernels
#include "proto/blend/row_kernels.inc"
