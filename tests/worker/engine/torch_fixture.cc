#include "tests/worker/engine/torch_fixture.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "proto/wire/model_digest.h"
#include "worker/engine/local_model.h"
#include "worker/engine/testnets.h"

namespace tilewright {
namespace {

// A test cannot go on without these; the sentence says why.
template <typename T>
T Must(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  std::cerr << value.status() << "\n";
  std::abort();
}

class Networks {
 public:
  Networks() : root_(::testing::TempDir() + "/testnets." + std::to_string(getpid())) {
    const absl::Status status = WriteTestnets(root_, {8, 16});
    if (status.ok()) return;
    std::cerr << status << "\n";
    std::abort();
  }
  ~Networks() { std::filesystem::remove_all(root_); }
  const std::string& root() const { return root_; }

 private:
  const std::string root_;
};

const Networks& TestNetworks() {
  static const Networks networks;
  return networks;
}

LocalModel Open(const std::string& folder) {
  return Must(OpenLocalModel(folder, Must(DigestModelFolder(folder))));
}

}  // namespace

Engine& TestTorchEngine() {
  static const std::unique_ptr<Engine> engine = Must(CreateTorchEngine({"cpu", 1}));
  return *engine;
}

LocalModel TestModel(const std::string& name) {
  return Open(TestNetworks().root() + "/" + name + "/1");
}

absl::StatusOr<LocalModel> TestPackage(const std::string& name) {
  const std::string source = TILEWRIGHT_SOURCE_DIR;
  const std::string command =
      absl::StrCat("exec bash ", source, "/deploy/torch_python.sh -W ignore ", source,
                   "/worker/engine/aot_package.py --networks ", TestNetworks().root(), " ", name);
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return absl::InternalError("no process can be started");
  std::string folder;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
    if (c != '\n') folder += static_cast<char>(c);
  }
  const int status = pclose(pipe);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 3) {
    return absl::NotFoundError(
        "deploy/setup.sh --for test has not installed what compiles packages");
  }
  if (status != 0) return absl::InternalError(absl::StrCat("it failed: ", command));
  return Open(folder);
}

LocalModel ShippedModel(const std::string& name) {
  return Open(std::string(TILEWRIGHT_SOURCE_DIR) + "/deploy/models/" + name + "/1");
}

}  // namespace tilewright
