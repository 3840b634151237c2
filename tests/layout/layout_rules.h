// The rules that keep the layers apart, one function each. A rule looks at a tree and answers
// complaints: sentences that name file and line; none if the rule holds. Pure; thread-safe.

#ifndef TILEWRIGHT_TESTS_LAYOUT_LAYOUT_RULES_H_
#define TILEWRIGHT_TESTS_LAYOUT_LAYOUT_RULES_H_

#include <string>
#include <vector>

#include "tests/layout/source_tree.h"

namespace tilewright::layout {

using Complaints = std::vector<std::string>;

// coordinator, worker and client know proto, never each other; proto knows none of them; deploy and
// tests are known by nobody. The same for the libraries that their CMake lists name.
Complaints CheckSidesStayApart(const SourceTree& tree);

// proto/geometry, proto/blend, coordinator/plan and coordinator/schedule know Abseil, the standard
// library, proto/base and each other: no clock, thread, lock, random numbers, input, output or
// message.
Complaints CheckPureFolders(const SourceTree& tree);

// The headers of LibTorch and OpenVINO stand in worker/engine and its tests only.
Complaints CheckInferenceLibrariesStayInEngine(const SourceTree& tree);

// worker/supervisor, which has to stay up when engines and connections do not, knows its own
// folder, worker/exit_code.h, worker/backoff.h, worker/device/cuda_driver.h and proto/base. The
// same for the libraries that it links.
Complaints CheckSupervisorStandsAlone(const SourceTree& tree);

// The client's public headers know Abseil, the standard library and each other: no generated code,
// no gRPC.
Complaints CheckPublicHeaders(const SourceTree& tree);

// A header opens with a comment, has its include guard, and is the first include of the source of
// its name, which shows that it is self-contained.
Complaints CheckHeaders(const SourceTree& tree);

// No file over `lines_max` lines.
Complaints CheckFileLength(const SourceTree& tree, int lines_max);

// Every service, rpc, message, enum, value, oneof and field of a .proto has a comment.
Complaints CheckProtoComments(const SourceTree& tree);

// Every .cc is named in the CMakeLists.txt of its folder.
Complaints CheckSourcesAreNamed(const SourceTree& tree);

// The root folder holds what was agreed and nothing else.
Complaints CheckTopLevel(const SourceTree& tree);

}  // namespace tilewright::layout

#endif  // TILEWRIGHT_TESTS_LAYOUT_LAYOUT_RULES_H_
