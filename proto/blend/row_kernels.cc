#define TILEWRIGHT_KERNEL_TABLE kBaselineKernels
#include "proto/blend/row_kernels.inc"
