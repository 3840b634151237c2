#include "tests/worker/engine/openvino_fixture.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "proto/wire/model_digest.h"
#include "worker/engine/local_model.h"
#include "worker/engine/openvino_testnets.h"

namespace tilewright {
namespace {

class Networks {
 public:
  Networks() : root_(::testing::TempDir() + "/openvino." + std::to_string(getpid())) {
    const absl::Status status = WriteOpenVinoTestnets(root_, {8, 16});
    if (status.ok()) return;
    std::cerr << status << "\n";
    std::abort();
  }
  ~Networks() { std::filesystem::remove_all(root_); }
  const std::string& root() const { return root_; }

 private:
  const std::string root_;
};

}  // namespace

std::unique_ptr<Engine> MakeOpenVinoEngine(Measurements* measurements, ProcessMemory* memory) {
  auto engine = CreateOpenVinoEngine({"CPU", 1, measurements, memory});
  if (engine.ok()) return *std::move(engine);
  std::cerr << engine.status() << "\n";
  std::abort();
}

Engine& TestEngine() {
  static const std::unique_ptr<Engine> engine = MakeOpenVinoEngine();
  return *engine;
}

LocalModel TestModel(const std::string& name) {
  static const Networks networks;
  const std::string folder = networks.root() + "/" + name + "-openvino/1";
  const auto digest = DigestModelFolder(folder);
  const auto model = digest.ok() ? OpenLocalModel(folder, *digest) : digest.status();
  if (model.ok()) return *model;
  std::cerr << model.status() << "\n";
  std::abort();
}

}  // namespace tilewright
