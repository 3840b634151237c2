// Runs the tests, or is the export child that OutputFile starts: the same program, as the
// coordinator is.

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>

#include "coordinator/image/image_reader.h"
#include "coordinator/image/output_file.h"

int main(int argc, char** argv) {
  if (argc == 5 && std::strcmp(argv[1], "--export-child") == 0) {
    return tilewright::RunExportChild(argv[2], argv[3], argv[4]);
  }
  ::testing::InitGoogleTest(&argc, argv);
  const absl::Status started = tilewright::StartImageLibrary(argv[0]);
  if (!started.ok()) {
    std::fprintf(stderr, "%s\n", started.ToString().c_str());
    return 1;
  }
  return RUN_ALL_TESTS();
}
