// A fake coordinator, a folder of its own and a client that gives up soon. For tests only.

#ifndef TILEWRIGHT_TESTS_CLIENT_SRC_CLIENT_FIXTURE_H_
#define TILEWRIGHT_TESTS_CLIENT_SRC_CLIENT_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/client/src/fake_coordinator.h"
#include "tilewright/client.h"
#include "tilewright/error.h"

namespace tilewright {

class ClientFixture : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/tilewright-client-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = std::filesystem::canonical(pattern);
    Write("in put.png", "not really a picture");
    auto client = Client::Connect(Options());
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }

  void TearDown() override {
    client_.reset();
    std::filesystem::remove_all(folder_);
  }

  ClientOptions Options() const {
    ClientOptions options;
    options.coordinator = fake_.address();
    options.retry_for = absl::Seconds(10);
    return options;
  }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

  void Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(Path(name), std::ios::binary) << bytes;
  }

  std::string Read(const std::string& name) const {
    std::ifstream file(Path(name), std::ios::binary);
    return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  }

  // Names of all files in the folder.
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  RenderRequest Request() const {
    RenderRequest request;
    request.input = Path("in put.png");
    request.output = Path("out.png");
    request.model = "lanczos4x";
    return request;
  }

  static v1::Job JobIn(v1::Job::State state, uint64_t tiles_done = 0) {
    v1::Job job;
    job.set_state(state);
    job.mutable_plan()->set_tiles(4);
    job.set_tiles_done(tiles_done);
    return job;
  }

  FakeCoordinator fake_;
  std::filesystem::path folder_;
  std::unique_ptr<Client> client_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_CLIENT_SRC_CLIENT_FIXTURE_H_
