// tilewright-giant-tiff OUT WIDTH HEIGHT: writes a giant picture for measurements by hand.

#include <iostream>

#include "absl/strings/numbers.h"
#include "tests/cluster/giant_tiff.h"

int main(int argc, char** argv) {
  uint32_t width = 0, height = 0;
  if (argc != 4 || !absl::SimpleAtoi(argv[2], &width) || !absl::SimpleAtoi(argv[3], &height)) {
    std::cerr << "usage: tilewright-giant-tiff OUT WIDTH HEIGHT\n";
    return 2;
  }
  const absl::Status written = tilewright::WriteGiantTiff(argv[1], width, height);
  if (!written.ok()) std::cerr << written << "\n";
  return written.ok() ? 0 : 1;
}
