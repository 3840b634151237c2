// AOTInductor packages in the torch engine, on the set of LibTorch that deploy/setup.sh installs.

#include <c10/core/CPUAllocator.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "absl/strings/match.h"
#include "tests/worker/engine/further_inputs.h"
#include "tests/worker/engine/interleave.h"
#include "tests/worker/engine/tiling.h"
#include "tests/worker/engine/torch_fixture.h"
#include "worker/engine/engine.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

absl::Status LoadFrom(const LocalModel& model) {
  return TestTorchEngine().Load(model, KeyFor(model, {64, 64}), {}).status();
}

// Folders for packages that were tampered with; they go with the test.
class TorchPackage : public ::testing::Test {
 protected:
  void SetUp() override {
    for (LocalModel* model : {&srvgg_, &reach8_, &reach16_}) {
      const char* name = model == &srvgg_ ? "srvgg2x4" : model == &reach8_ ? "reach-8" : "reach-16";
      const auto package = TestPackage(name);
      if (absl::IsNotFound(package.status())) GTEST_SKIP() << package.status().message();
      ASSERT_TRUE(package.ok()) << package.status();
      *model = *package;
    }
  }
  ~TorchPackage() override { std::filesystem::remove_all(folder_); }

  // A package of the same length in which every `from` reads `to`, or, if they are empty, its first
  // half.
  LocalModel Tampered(const std::string& from, const std::string& to) const {
    std::filesystem::create_directories(folder_);
    std::ifstream in(reach8_.folder + "/model.pt2", std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    if (from.empty()) bytes.resize(bytes.size() / 2);
    int replaced = 0;
    for (size_t at = 0; !from.empty() && (at = bytes.find(from, at)) != std::string::npos; ++at) {
      bytes.replace(at, from.size(), to);
      ++replaced;
    }
    EXPECT_EQ(replaced > 0, !from.empty()) << from;
    std::ofstream(folder_ + "/model.pt2", std::ios::binary) << bytes;
    LocalModel model = reach8_;
    model.folder = folder_;
    return model;
  }

  LocalModel srvgg_;
  LocalModel reach8_;
  LocalModel reach16_;
  const std::string folder_ = ::testing::TempDir() + "/package." + std::to_string(getpid());
};

TEST_F(TorchPackage, GetsOneTensorForEachInput) {
  const auto mix = TestPackage("mix-previous");
  ASSERT_TRUE(mix.ok()) << mix.status();
  const Picture pair = NoisePicture({70, 40}, 6, 4);
  const auto mixed = RunWhole(TestTorchEngine(), *mix, pair);
  ASSERT_TRUE(mixed.ok()) << mixed.status();
  EXPECT_LT(Compare(*mixed, MixedByHand(pair)).max_raw, 1e-6);
}

TEST_F(TorchPackage, ComputesTheNumbersOfTheScriptedNetwork) {
  const Picture picture = SmoothPicture({96, 80}, 3, 17);
  for (const auto& [package, name] :
       {std::pair(&srvgg_, "srvgg2x4"), std::pair(&reach8_, "reach-8")}) {
    const auto packaged = RunWhole(TestTorchEngine(), *package, picture);
    const auto scripted = RunWhole(TestTorchEngine(), TestModel(name), picture);
    ASSERT_TRUE(packaged.ok()) << packaged.status();
    ASSERT_TRUE(scripted.ok()) << scripted.status();
    const Difference difference = Compare(*packaged, *scripted);
    std::cout << name << ", package against TorchScript: " << difference.Text() << "\n";
    EXPECT_LE(difference.max_raw, 1e-5);
  }
  const auto packaged = RunWhole(TestTorchEngine(), reach8_, picture);
  const auto other = RunWhole(TestTorchEngine(), TestModel("reach-16"), picture);
  ASSERT_TRUE(packaged.ok() && other.ok());
  EXPECT_GT(Compare(*packaged, *other).max_raw, 1e-5) << "the control: another network";
}

TEST_F(TorchPackage, GivesTheSameBitsAloneInABatchAndAgain) {
  auto single = TestTorchEngine().Load(srvgg_, KeyFor(srvgg_, {64, 64}), {});
  auto triple = TestTorchEngine().Load(srvgg_, KeyFor(srvgg_, {64, 64}, /*batch=*/3), {});
  ASSERT_TRUE(single.ok()) << single.status();
  ASSERT_TRUE(triple.ok()) << triple.status();
  const std::vector<NetworkTile> tiles = NoiseTiles(3, {64, 64});
  const auto batch = (*triple)->Run(tiles);
  const auto again = (*triple)->Run(tiles);
  ASSERT_TRUE(batch.ok()) << batch.status();
  ASSERT_TRUE(again.ok()) << again.status();
  for (size_t i = 0; i < 3; ++i) {
    const auto alone = (*single)->Run({&tiles[i], 1});
    ASSERT_TRUE(alone.ok()) << alone.status();
    EXPECT_TRUE((*alone)[0].values == (*batch)[i].values) << "slot " << i;
    EXPECT_TRUE((*again)[i].values == (*batch)[i].values) << "slot " << i;
  }
  EXPECT_FALSE((*batch)[0].values == (*batch)[1].values) << "the control: other tiles differ";
  EXPECT_GT((*single)->StateBytes(), 64u * 64 * 9 * 4) << "the weights of one convolution at least";
}

TEST_F(TorchPackage, NeverTakesAnothersPlace) {
  const auto make = [] {
    auto engine = CreateTorchEngine({"cpu", 1});
    EXPECT_TRUE(engine.ok()) << engine.status();
    return engine.ok() ? *std::move(engine) : nullptr;
  };
  for (const bool evict : {true, false}) {
    const Interleaving found = Interleave(make, reach8_, reach16_, evict);
    EXPECT_TRUE(found.same_bits);
    EXPECT_TRUE(found.stages_differ) << "the control";
    EXPECT_EQ(found.loads, evict ? found.calls : 4);
  }
  const Interleaving wrong =
      Interleave([&make] { return KeyedByShapeAlone(make()); }, reach8_, reach16_, true);
  EXPECT_FALSE(wrong.same_bits) << "the control: an engine that keeps its stages by shape alone";
}

TEST_F(TorchPackage, ForAnotherKeyIsRefused) {
  const absl::Status version =
      LoadFrom(Tampered("\"torch_version\": \"2.", "\"torch_version\": \"1."));
  EXPECT_EQ(CauseOf(version), v1::FAILURE_CAUSE_REFUSED) << version;
  EXPECT_THAT(std::string(version.message()),
              HasSubstr("model.pt2 was compiled for LibTorch 1.11.0"));
  const absl::Status device = LoadFrom(Tampered("_KEY\": \"cpu\"", "_KEY\": \"xpu\""));
  EXPECT_EQ(CauseOf(device), v1::FAILURE_CAUSE_REFUSED) << device;
  EXPECT_THAT(std::string(device.message()),
              HasSubstr("compiled for a device of kind 'xpu', and here is 'cpu'"));
  EXPECT_TRUE(LoadFrom(reach8_).ok()) << "the control";
}

TEST_F(TorchPackage, ThatIsDamagedIsASentence) {
  const absl::Status half = LoadFrom(Tampered("", ""));
  EXPECT_EQ(CauseOf(half), v1::FAILURE_CAUSE_MODEL_ERROR) << half;
  EXPECT_THAT(std::string(half.message()), HasSubstr("model.pt2: "));
  std::cout << half.message() << "\n";
  const absl::Status code = LoadFrom(Tampered(std::string("\x7f") + "ELF", "\x7fMUD"));
  EXPECT_EQ(CauseOf(code), v1::FAILURE_CAUSE_MODEL_ERROR) << code;
  std::cout << code.message() << "\n";
  LocalModel absent = reach8_;
  absent.manifest.set_entry("absent.pt2");
  EXPECT_THAT(std::string(LoadFrom(absent).message()), HasSubstr("cannot open the model file"));
}

// Hands on what is asked of LibTorch's CPU allocator, except that one allocation finds no memory.
class FailingAllocator : public c10::Allocator {
 public:
  // In front of the one in use, for the rest of the process.
  FailingAllocator() : inner_(c10::GetCPUAllocator()) { c10::SetCPUAllocator(this, 200); }
  // The k-th allocation from now on fails; 0: none.
  void FailAt(int k) { left_ = k; }
  bool failed() const { return left_ == 0; }

  c10::DataPtr allocate(size_t bytes) override {
    if (left_ > 0 && --left_ == 0) bytes = SIZE_MAX / 2;
    return inner_->allocate(bytes);
  }
  c10::DeleterFnPtr raw_deleter() const override { return inner_->raw_deleter(); }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    inner_->copy_data(to, from, bytes);
  }

 private:
  c10::Allocator* const inner_;
  int left_ = -1;
};

TEST_F(TorchPackage, ThatFindsNoMemorySaysSoAtEveryAllocation) {
  const auto stage = TestTorchEngine().Load(srvgg_, KeyFor(srvgg_, {64, 64}), {});
  ASSERT_TRUE(stage.ok()) << stage.status();
  const std::vector<NetworkTile> tiles = NoiseTiles(1, {64, 64});
  const auto before = (*stage)->Run(tiles);
  ASSERT_TRUE(before.ok()) << before.status();
  static auto* const allocator = new FailingAllocator;  // LibTorch keeps using it
  int failures = 0;
  int survived = 0;  // where LibTorch went on without that memory
  int untyped = 0;   // whose exception had lost its type on the way through the package
  while (true) {
    allocator->FailAt(failures + 1);
    const auto result = (*stage)->Run(tiles);
    const absl::Status status = result.status();
    if (!allocator->failed()) {
      EXPECT_TRUE(status.ok()) << status;
      break;
    }
    ++failures;
    if (result.ok()) {
      ++survived;
      EXPECT_TRUE((*result)[0].values == (*before)[0].values) << failures;
      continue;
    }
    ASSERT_EQ(CauseOf(status), v1::FAILURE_CAUSE_OUT_OF_MEMORY) << failures << ": " << status;
    if (absl::StrContains(status.message(), "API call failed")) ++untyped;
  }
  allocator->FailAt(-1);
  std::cout << failures << " allocations, " << untyped << " of them in the package, " << survived
            << " done without\n";
  EXPECT_GT(untyped, 0);
  EXPECT_GT(failures, untyped + survived);
  const auto after = (*stage)->Run(tiles);
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_TRUE((*after)[0].values == (*before)[0].values);
}

TEST_F(TorchPackage, AtAShapeThatItWasNotCompiledForIsRefusedWhenItRuns) {
  const Size narrow{8, 64};  // it was compiled for 16 pixels and more
  const auto stage = TestTorchEngine().Load(reach8_, KeyFor(reach8_, narrow), {});
  ASSERT_TRUE(stage.ok()) << stage.status();
  const NetworkTile tile{0, narrow, 3, NoisePicture(narrow, 3, 1).values};
  const absl::Status status = (*stage)->Run({&tile, 1}).status();
  EXPECT_EQ(CauseOf(status), v1::FAILURE_CAUSE_MODEL_ERROR) << status;
}

}  // namespace
}  // namespace tilewright
