// tilewright-worker: computes tiles on one device.

#include "worker/serve.h"

int main(int argc, char** argv) { return tilewright::RunWorker(argc, argv, {}); }
