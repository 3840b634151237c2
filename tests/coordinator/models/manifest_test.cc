#include "coordinator/models/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace tilewright {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kGood[] = R"(
engine: "builtin"
entry: "lanczos2x"
scale_p: 2
halo: 3
exactness: EXACTNESS_KIND_EXACT
inputs { name: "image" }
outputs { name: "image" }
)";

v1::ModelManifest Good() {
  v1::ModelManifest manifest = *ParseManifest("good", kGood);
  FillManifestDefaults(&manifest);
  return manifest;
}

std::string RefusalOf(const std::function<void(v1::ModelManifest*)>& change) {
  v1::ModelManifest manifest = Good();
  change(&manifest);
  const auto geometry = CheckManifest(manifest);
  return geometry.ok() ? "accepted" : std::string(geometry.status().message());
}

TEST(Manifest, FillsInWhatAnAbsentFieldMeans) {
  const v1::ModelManifest manifest = Good();
  EXPECT_EQ(manifest.scale_q(), 1u);
  EXPECT_EQ(manifest.alignment(), 1u);
  EXPECT_EQ(manifest.minimum(), 1u);
  EXPECT_EQ(manifest.default_tile(), 512u);
  EXPECT_EQ(manifest.default_window(), "cosine");
  EXPECT_EQ(manifest.pad(), v1::PAD_KIND_REFLECT);
  EXPECT_EQ(manifest.inputs(0).range().lo(), 0.0f);
  EXPECT_EQ(manifest.inputs(0).range().hi(), 1.0f);
  EXPECT_EQ(manifest.outputs(0).merge(), v1::MERGE_KIND_BLEND);
  ASSERT_EQ(manifest.dtypes_size(), 1);
  EXPECT_EQ(manifest.dtypes(0), "fp32");
}

TEST(Manifest, LeavesWhatItSaysAlone) {
  v1::ModelManifest manifest = *ParseManifest(
      "m", "alignment: 8 pad: PAD_KIND_ZERO default_tile: 64 inputs { range { lo: -1 hi: 1 } }");
  FillManifestDefaults(&manifest);
  EXPECT_EQ(manifest.minimum(), 8u) << "the minimum is the alignment unless it is said";
  EXPECT_EQ(manifest.pad(), v1::PAD_KIND_ZERO);
  EXPECT_EQ(manifest.default_tile(), 64u);
  EXPECT_EQ(manifest.inputs(0).range().lo(), -1.0f);
}

TEST(Manifest, GivesTheGeometryOfThePlan) {
  const auto geometry = CheckManifest(Good());
  ASSERT_TRUE(geometry.ok()) << geometry.status();
  EXPECT_EQ(geometry->scale.p(), 2);
  EXPECT_EQ(geometry->halo, 3);
  EXPECT_EQ(geometry->default_tile, 512);
  EXPECT_EQ(geometry->pad_mode, PadMode::kReflect);
}

TEST(Manifest, NamesFileLineAndColumnOfAMistake) {
  const auto manifest =
      ParseManifest("/models/x/1/manifest.textproto", "engine: \"torch\"\nhalos: 3\n");
  ASSERT_FALSE(manifest.ok());
  EXPECT_EQ(manifest.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(manifest.status().message()),
              StartsWith("/models/x/1/manifest.textproto:2:"));
  EXPECT_THAT(std::string(manifest.status().message()), HasSubstr("halos"));
}

TEST(Manifest, RefusesWhatTheGeometryCannotMean) {
  EXPECT_EQ(RefusalOf([](auto*) {}), "accepted") << "the control: an unchanged manifest is good";
  EXPECT_THAT(RefusalOf([](auto* m) { m->set_scale_p(33); }), StartsWith("scale_p, scale_q:"));
  const auto thirds = [](v1::ModelManifest* m) {
    m->set_scale_p(2);
    m->set_scale_q(3);
    m->set_alignment(3);
    m->set_minimum(6);
    m->set_halo(6);
    m->set_default_overlap(12);
  };
  EXPECT_EQ(RefusalOf(thirds), "accepted");
  EXPECT_EQ(RefusalOf([&](auto* m) { thirds(m), m->set_alignment(4), m->set_minimum(8); }),
            "alignment: 4 is not a multiple of scale_q 3");
  EXPECT_EQ(RefusalOf([&](auto* m) { thirds(m), m->set_minimum(7); }),
            "minimum: 7 is not a multiple of the alignment 3");
  EXPECT_EQ(RefusalOf([&](auto* m) { thirds(m), m->set_halo(7); }),
            "halo: 7 is not a multiple of scale_q 3");
  EXPECT_THAT(RefusalOf([&](auto* m) { thirds(m), m->set_default_overlap(8); }),
              StartsWith("default_overlap: 8 is not a multiple of 6"));
  EXPECT_THAT(RefusalOf([](auto* m) { m->set_default_tile(7); }),
              StartsWith("default_tile: 7 is too small for halo 3"));
  EXPECT_EQ(RefusalOf([](auto* m) { m->set_default_tile(8); }), "accepted")
      << "2 * 3 + 0 + 2 = 8 is enough";
  EXPECT_THAT(RefusalOf([](auto* m) { m->set_halo(70000); }), StartsWith("halo: 70000 is above"));
}

TEST(Manifest, RefusesWordsAndTensorsItDoesNotKnow) {
  EXPECT_THAT(RefusalOf([](auto* m) { m->set_engine("onnx"); }), StartsWith("engine: 'onnx'"));
  EXPECT_THAT(RefusalOf([](auto* m) { m->clear_entry(); }), StartsWith("entry: is empty"));
  EXPECT_THAT(RefusalOf([](auto* m) { m->set_entry("../x.pt"); }), StartsWith("entry: '../x.pt'"));
  EXPECT_THAT(RefusalOf([](auto* m) { m->clear_exactness(); }), StartsWith("exactness:"));
  EXPECT_THAT(RefusalOf([](auto* m) { m->set_exactness(v1::EXACTNESS_KIND_BOUNDED); }),
              StartsWith("epsilon:"));
  EXPECT_THAT(RefusalOf([](auto* m) { m->clear_inputs(); }), StartsWith("inputs: 0 given"));
  EXPECT_THAT(RefusalOf([](auto* m) { m->clear_outputs(); }), StartsWith("outputs: 0 given"));
  EXPECT_THAT(RefusalOf([](auto* m) { m->mutable_inputs(0)->set_channels(65); }),
              StartsWith("inputs.channels: 65"));
  EXPECT_THAT(RefusalOf([](auto* m) { m->mutable_inputs(0)->set_channels(3); }),
              StartsWith("outputs.channels:"));
  EXPECT_THAT(RefusalOf([](auto* m) { m->mutable_outputs(0)->mutable_range()->set_lo(1); }),
              StartsWith("outputs.range: 1 to 1"));
  EXPECT_THAT(RefusalOf([](auto* m) { m->set_default_window("hann"); }),
              StartsWith("default_window:"));
  EXPECT_THAT(RefusalOf([](auto* m) { m->add_dtypes("int8"); }), StartsWith("dtypes: 'int8'"));
  const auto graph_of = [](const char* engine) {
    return RefusalOf([engine](auto* m) {
      m->set_engine(engine);
      m->set_cuda_graph(true);
    });
  };
  EXPECT_THAT(graph_of("openvino"), StartsWith("cuda_graph: engine 'openvino' records none"));
  EXPECT_EQ(graph_of("torch"), "accepted");
}

TEST(Manifest, LetsLogitsBeDecidedAmongSeveralBlendedChannels) {
  const auto logits = [](v1::ModelManifest* m, uint32_t channels) {
    m->mutable_inputs(0)->set_channels(3);
    m->mutable_outputs(0)->set_channels(channels);
    m->mutable_outputs(0)->set_decision(v1::DECISION_KIND_GREATEST);
  };
  EXPECT_FALSE(GivesLogits(Good()));
  v1::ModelManifest two = Good();
  logits(&two, 2);
  EXPECT_TRUE(CheckManifest(two).ok());
  EXPECT_TRUE(GivesLogits(two));
  EXPECT_EQ(RefusalOf([&](auto* m) { logits(m, 64); }), "accepted");
  EXPECT_EQ(RefusalOf([&](auto* m) { logits(m, 1); }),
            "outputs.decision: is made among 2 to 64 channels, not 1");
  EXPECT_THAT(RefusalOf([&](auto* m) {
                logits(m, 5);
                m->mutable_outputs(0)->set_merge(v1::MERGE_KIND_CUT);
              }),
              StartsWith("outputs.decision: values that are decided are blended before"));
  EXPECT_THAT(RefusalOf([&](auto* m) {
                logits(m, 5);
                m->mutable_outputs(0)->set_decision(static_cast<v1::DecisionKind>(7));
              }),
              StartsWith("outputs.decision: 7 is unknown"));
}

// Adds inputs behind an image of three channels.
std::string RefusalOfInputs(const std::vector<std::pair<const char*, uint32_t>>& beside,
                            const std::function<void(v1::ModelManifest*)>& change = nullptr) {
  return RefusalOf([&](v1::ModelManifest* m) {
    m->set_engine("torch");
    m->set_scale_p(1);
    m->mutable_inputs(0)->set_channels(3);
    m->mutable_outputs(0)->set_channels(3);
    for (const auto& [name, channels] : beside) {
      v1::TensorManifest* input = m->add_inputs();
      input->set_name(name);
      input->set_channels(channels);
    }
    FillManifestDefaults(m);
    if (change) change(m);
  });
}

TEST(Manifest, TakesAMaskAndAPreviousFrameBesideTheImage) {
  for (const auto& beside : std::vector<std::vector<std::pair<const char*, uint32_t>>>{
           {},
           {{"mask", 1}},
           {{"previous", 3}},
           {{"mask", 1}, {"previous", 4}},
           {{"previous", 60}, {"mask", 1}}}) {
    EXPECT_EQ(RefusalOfInputs(beside), "accepted");
  }
  EXPECT_EQ(RefusalOfInputs({{"previous", 3}}, [](auto* m) { m->set_scale_p(2); }), "accepted");
}

TEST(Manifest, RefusesFurtherInputsThatNothingIsGivenTo) {
  EXPECT_EQ(RefusalOfInputs({{"depth", 1}}),
            "inputs.name: 'depth' is number 2; the first is the image, the others are \"mask\" and "
            "\"previous\"");
  EXPECT_THAT(RefusalOf([](auto* m) { m->mutable_inputs(0)->set_name("mask"); }),
              StartsWith("inputs.name: 'mask' is number 1"));
  EXPECT_EQ(RefusalOfInputs({{"mask", 1}, {"mask", 1}}), "inputs.name: 'mask' is given twice");
  EXPECT_EQ(RefusalOfInputs({{"mask", 2}}), "inputs.channels: a mask has 1, not 2");
  EXPECT_THAT(RefusalOfInputs({{"previous", 0}}), StartsWith("inputs.channels: 'previous' takes"));
  EXPECT_THAT(RefusalOfInputs({{"mask", 1}},
                              [](auto* m) {
                                m->mutable_inputs(0)->set_channels(0);
                                m->mutable_outputs(0)->set_channels(0);
                              }),
              StartsWith("inputs.channels: 'image' takes any number (0)"));
  EXPECT_EQ(RefusalOfInputs({{"previous", 62}}), "inputs.channels: 65 together are above 64");
  EXPECT_EQ(RefusalOfInputs({{"mask", 1}}, [](auto* m) { m->set_scale_p(2); }),
            "scale_p, scale_q: a model that takes a mask keeps the size of the image");
  EXPECT_EQ(RefusalOfInputs({{"mask", 1}}, [](auto* m) { m->set_engine("builtin"); }),
            "inputs: builtin operators take the image alone");
  EXPECT_THAT(RefusalOfInputs({{"mask", 1}},
                              [](auto* m) { m->mutable_inputs(1)->mutable_range()->set_hi(-1); }),
              StartsWith("inputs.range: 0 to -1"));
}

}  // namespace
}  // namespace tilewright
