#include "tests/worker/engine/torch_fixture.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>

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

LocalModel Open(const std::string& folder) {
  return Must(OpenLocalModel(folder, Must(DigestModelFolder(folder))));
}

}  // namespace

Engine& TestTorchEngine() {
  static const std::unique_ptr<Engine> engine = Must(CreateTorchEngine({"cpu", 1}));
  return *engine;
}

LocalModel TestModel(const std::string& name) {
  static const Networks networks;
  return Open(networks.root() + "/" + name + "/1");
}

LocalModel ShippedModel(const std::string& name) {
  return Open(std::string(TILEWRIGHT_SOURCE_DIR) + "/deploy/models/" + name + "/1");
}

}  // namespace tilewright
