// The rules hold for this tree, and each rule reports a tree that breaks it.

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/layout/layout_rules.h"
#include "tests/layout/source_tree.h"

namespace tilewright::layout {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const SourceTree& ThisTree() {
  static const auto* const kTree = new SourceTree([] {
    absl::StatusOr<SourceTree> tree = ReadSourceTree(TILEWRIGHT_SOURCE_DIR);
    if (!tree.ok()) {
      ADD_FAILURE() << tree.status();
      return SourceTree{};
    }
    return *std::move(tree);
  }());
  return *kTree;
}

SourceTree Planted(std::string path, std::string text) {
  return SourceTree{{}, {{std::move(path), std::move(text)}}};
}

std::string Explain(const Complaints& complaints) { return absl::StrJoin(complaints, "\n"); }

#define EXPECT_HOLDS(complaints) \
  if (const Complaints found = (complaints); !found.empty()) ADD_FAILURE() << Explain(found)

TEST(Layout, ReadsTheWholeTree) {
  ASSERT_GT(ThisTree().files.size(), 50u);
  EXPECT_THAT(ThisTree().top_level, testing::Contains("coordinator"));
}

TEST(Layout, TheSidesStayApart) { EXPECT_HOLDS(CheckSidesStayApart(ThisTree())); }
TEST(Layout, ThePureFoldersStayPure) { EXPECT_HOLDS(CheckPureFolders(ThisTree())); }
TEST(Layout, InferenceLibrariesStayInTheEngine) {
  EXPECT_HOLDS(CheckInferenceLibrariesStayInEngine(ThisTree()));
}
TEST(Layout, TheSupervisorStandsAlone) { EXPECT_HOLDS(CheckSupervisorStandsAlone(ThisTree())); }
TEST(Layout, PublicHeadersShowNoGeneratedCode) { EXPECT_HOLDS(CheckPublicHeaders(ThisTree())); }
TEST(Layout, HeadersOpenWithACommentAndStandAlone) { EXPECT_HOLDS(CheckHeaders(ThisTree())); }
TEST(Layout, NoFileIsOverEightHundredLines) { EXPECT_HOLDS(CheckFileLength(ThisTree(), 800)); }
TEST(Layout, EveryProtoDeclarationIsCommented) { EXPECT_HOLDS(CheckProtoComments(ThisTree())); }
TEST(Layout, EverySourceIsBuilt) { EXPECT_HOLDS(CheckSourcesAreNamed(ThisTree())); }
TEST(Layout, TheRootHoldsWhatWasAgreed) { EXPECT_HOLDS(CheckTopLevel(ThisTree())); }

// Controls: each rule sees what it is for, and does not see what is allowed.

TEST(SidesStayApart, ReportsACoordinatorThatKnowsAWorker) {
  EXPECT_THAT(CheckSidesStayApart(
                  Planted("coordinator/jobs/job.cc",
                          "#include \"proto/base/instant.h\"\n#include \"worker/link/link.h\"\n")),
              ElementsAre("coordinator/jobs/job.cc:2: coordinator must not know worker, and "
                          "includes worker/link/link.h"));
}

TEST(SidesStayApart, ReportsProtoThatKnowsASide) {
  EXPECT_THAT(CheckSidesStayApart(Planted("proto/wire/a.h", "#include \"client/src/client.h\"\n")),
              SizeIs(1));
}

TEST(SidesStayApart, ReportsATestOfOneSideThatKnowsAnother) {
  EXPECT_THAT(CheckSidesStayApart(
                  Planted("tests/worker/link/a_test.cc", "#include \"coordinator/plan/a.h\"\n")),
              SizeIs(1));
}

TEST(SidesStayApart, ReportsALinkedLibraryOfAnotherSide) {
  const SourceTree tree{
      {},
      {{"worker/engine/CMakeLists.txt", "tilewright_library(tw_engine SRCS a.cc)"},
       {"coordinator/CMakeLists.txt", "tilewright_program(p SRCS main.cc DEPS tw_engine)"}}};
  EXPECT_THAT(CheckSidesStayApart(tree), ElementsAre(HasSubstr("must not link tw_engine")));
}

TEST(SidesStayApart, AllowsProtoAndOneself) {
  EXPECT_THAT(CheckSidesStayApart(Planted(
                  "worker/link/link.cc",
                  "#include \"proto/wire/payload.h\"\n#include \"worker/executor/executor.h\"\n")),
              IsEmpty());
}

TEST(PureFolders, ReportEachForbiddenHeader) {
  for (const char* header :
       {"<thread>", "<mutex>", "<chrono>", "<random>", "<iostream>", "<fstream>", "<cstdio>",
        "<unistd.h>", "\"absl/synchronization/mutex.h\"", "\"absl/time/clock.h\"",
        "\"absl/random/random.h\"", "\"tilewright/v1/tile.pb.h\"", "\"proto/wire/payload.h\"",
        "\"coordinator/merge/canvas.h\"", "<opencv2/core.hpp>"}) {
    for (const char* folder :
         {"proto/geometry", "proto/blend", "coordinator/plan", "coordinator/schedule"}) {
      EXPECT_THAT(CheckPureFolders(Planted(absl::StrCat(folder, "/a.h"),
                                           absl::StrCat("// A.\n#include ", header, "\n"))),
                  SizeIs(1))
          << header << " in " << folder;
    }
  }
}

TEST(PureFolders, ReportEachForbiddenCall) {
  for (const char* code : {"absl::Now()", "std::rand()", "rand()", "time(nullptr)", "std::mutex m;",
                           "std::chrono::steady_clock::now()", "printf(\"x\")", "v1::Job job;"}) {
    EXPECT_THAT(CheckPureFolders(
                    Planted("coordinator/plan/a.cc", absl::StrCat("int x = 0;\n", code, "\n"))),
                ElementsAre(HasSubstr("coordinator/plan/a.cc:2: a pure folder must not use")))
        << code;
  }
}

TEST(PureFolders, AllowWhatIsPure) {
  EXPECT_THAT(
      CheckPureFolders(Planted("coordinator/schedule/a.cc",
                               "#include \"coordinator/schedule/a.h\"\n#include <vector>\n"
                               "#include \"absl/time/time.h\"\n#include \"proto/base/instant.h\"\n"
                               "// absl::Now() is not for us; rand() neither.\n"
                               "const char* kText = \"rand()\";  int runtime(int x);\n")),
      IsEmpty());
}

TEST(TorchStaysInEngine, ReportsItElsewhere) {
  EXPECT_THAT(CheckInferenceLibrariesStayInEngine(
                  Planted("worker/link/link.cc", "#include <openvino/openvino.hpp>\n")),
              SizeIs(1));
  EXPECT_THAT(CheckInferenceLibrariesStayInEngine(
                  Planted("worker/link/link.cc", "#include <torch/script.h>\n")),
              SizeIs(1));
  EXPECT_THAT(CheckInferenceLibrariesStayInEngine(
                  Planted("tests/cluster/a.cc", "#include \"ATen/ATen.h\"\n")),
              SizeIs(1));
  EXPECT_THAT(CheckInferenceLibrariesStayInEngine(
                  Planted("worker/engine/a.cc", "#include <torch/script.h>\n")),
              IsEmpty());
}

TEST(SupervisorStandsAlone, ReportsWhatItMustNotKnow) {
  for (const char* header :
       {"\"worker/link/worker_link.h\"", "\"worker/device/device_probe.h\"",
        "\"proto/wire/channel.h\"", "\"tilewright/v1/tile.pb.h\"", "<grpcpp/grpcpp.h>"}) {
    EXPECT_THAT(CheckSupervisorStandsAlone(
                    Planted("worker/supervisor/a.cc", absl::StrCat("#include ", header, "\n"))),
                SizeIs(1))
        << header;
  }
  for (const char* library : {"tw_link", "tw_proto", "gRPC::grpc++", "protobuf::libprotobuf"}) {
    EXPECT_THAT(CheckSupervisorStandsAlone(
                    Planted("worker/supervisor/CMakeLists.txt",
                            absl::StrCat("tilewright_program(p SRCS main.cc DEPS ", library, ")"))),
                SizeIs(1))
        << library;
  }
}

TEST(SupervisorStandsAlone, AllowsTheSeamsToTheWorker) {
  EXPECT_THAT(CheckSupervisorStandsAlone(Planted("worker/supervisor/a.cc",
                                                 "#include <vector>\n"
                                                 "#include \"absl/time/time.h\"\n"
                                                 "#include \"proto/base/instant.h\"\n"
                                                 "#include \"worker/exit_code.h\"\n"
                                                 "#include \"worker/supervisor/b.h\"\n")),
              IsEmpty());
  EXPECT_THAT(CheckSupervisorStandsAlone(
                  Planted("worker/link/a.cc", "#include \"worker/link/worker_link.h\"\n")),
              IsEmpty());
}

TEST(PublicHeaders, ReportGeneratedCodeAndGrpc) {
  for (const char* header :
       {"\"tilewright/v1/tile.pb.h\"", "<grpcpp/grpcpp.h>", "\"proto/geometry/rect.h\"",
        "\"client/src/client.h\"", "<torch/script.h>"}) {
    EXPECT_THAT(CheckPublicHeaders(Planted("client/include/tilewright/a.h",
                                           absl::StrCat("#include ", header, "\n"))),
                SizeIs(1))
        << header;
  }
  EXPECT_THAT(CheckPublicHeaders(Planted("client/include/tilewright/a.h",
                                         "#include <string>\n#include \"absl/status/status.h\"\n"
                                         "#include \"tilewright/job.h\"\n")),
              IsEmpty());
}

TEST(Headers, ReportAMissingCommentAndGuard) {
  EXPECT_THAT(CheckHeaders(Planted("proto/base/a.h", "#pragma once\n")),
              ElementsAre(HasSubstr("opens with"), HasSubstr("TILEWRIGHT_PROTO_BASE_A_H_")));
}

TEST(Headers, ReportASourceThatIncludesSomethingElseFirst) {
  const SourceTree tree{{},
                        {{"proto/base/a.cc", "#include <vector>\n\n#include \"proto/base/a.h\"\n"},
                         {"proto/base/a.h",
                          "// A.\n#ifndef TILEWRIGHT_PROTO_BASE_A_H_\n#define "
                          "TILEWRIGHT_PROTO_BASE_A_H_\n#endif\n"}}};
  EXPECT_THAT(CheckHeaders(tree),
              ElementsAre(HasSubstr("its first include is not proto/base/a.h")));
}

TEST(FileLength, ReportsAFileOfOneLineTooMany) {
  EXPECT_THAT(CheckFileLength(Planted("proto/base/a.cc", std::string(801, '\n')), 800), SizeIs(1));
  EXPECT_THAT(CheckFileLength(Planted("proto/base/a.cc", std::string(800, '\n')), 800), IsEmpty());
}

TEST(ProtoComments, ReportEachKindOfDeclaration) {
  EXPECT_THAT(
      CheckProtoComments(
          Planted("proto/tilewright/v1/a.proto",
                  "syntax = \"proto3\";\npackage a;\n\nservice S {\n"
                  "  rpc Go(A) returns (B);\n}\nmessage A {\n  oneof x {\n"
                  "    string b = 1;\n  }\n  repeated a.b.C c = 2;\n"
                  "  map<string, string> d = 3;\n  optional uint64 e = 4 [deprecated = true];\n}\n"
                  "enum E {\n  E_UNSPECIFIED = 0;\n}\n")),
      ElementsAre(HasSubstr(":4: service S"), HasSubstr(":5: rpc Go"), HasSubstr(":7: message A"),
                  HasSubstr(":8: oneof x"), HasSubstr(":9: field b"), HasSubstr(":11: field c"),
                  HasSubstr(":12: field d"), HasSubstr(":13: field e"), HasSubstr(":15: enum E"),
                  HasSubstr(":16: value E_UNSPECIFIED")));
}

TEST(SourcesAreNamed, ReportsASourceThatNothingBuilds) {
  const SourceTree tree{{},
                        {{"proto/wire/CMakeLists.txt", "tilewright_library(tw_wire SRCS a.cc)"},
                         {"proto/wire/a.cc", ""},
                         {"proto/wire/b.cc", ""}}};
  EXPECT_THAT(CheckSourcesAreNamed(tree), ElementsAre(HasSubstr("proto/wire/b.cc")));
}

TEST(TopLevel, ReportsAStranger) {
  EXPECT_THAT(CheckTopLevel(SourceTree{{"proto", "notes.txt", "tests"}, {}}),
              ElementsAre(HasSubstr("notes.txt")));
}

TEST(SourceTree, SeparatesCodeFromCommentsAndStrings) {
  EXPECT_EQ(CodeOnly("a // b\n\"c\\\"d\" e /* f\ng */ h"), "a     \n\"    \" e     \n     h");
  EXPECT_EQ(CodeOnly("R\"x(a\")x\" b"), "R\"    )x\" b")
      << "a raw string ends at its own delimiter";
  EXPECT_EQ(CodeOnly("1'000 rand()"), "1'000 rand()") << "a digit separator opens no character";
}

TEST(SourceTree, RefusesAFolderThatIsNoSourceTree) {
  EXPECT_EQ(ReadSourceTree("/proc/self").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tilewright::layout
