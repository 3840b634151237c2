// Runs the tests, or is the child that exports or decodes: the same program, as the coordinator is.

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>

#include "coordinator/image/decode_process.h"
#include "coordinator/image/image_reader.h"
#include "coordinator/image/output_file.h"

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "--export-child") == 0) {
    return tilewright::RunExportChild(absl::MakeConstSpan(argv + 2, static_cast<size_t>(argc - 2)));
  }
  if (argc > 1 && std::strcmp(argv[1], "--decode-child") == 0) {
    return tilewright::RunDecodeChild(absl::MakeSpan(argv + 2, static_cast<size_t>(argc - 2)));
  }
  ::testing::InitGoogleTest(&argc, argv);
  const absl::Status started = tilewright::StartImageLibrary(argv[0]);
  if (!started.ok()) {
    std::fprintf(stderr, "%s\n", started.ToString().c_str());
    return 1;
  }
  return RUN_ALL_TESTS();
}
