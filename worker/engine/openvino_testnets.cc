#include "worker/engine/openvino_testnets.h"

#include <cmath>
#include <cstdint>
#include <memory>
#include <openvino/openvino.hpp>
#include <openvino/opsets/opset8.hpp>
#include <openvino/pass/serialize.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "worker/engine/srvgg_weights.h"
#include "worker/engine/testnet_package.h"

namespace tilewright {
namespace {

namespace op = ov::opset8;
using Value = ov::Output<ov::Node>;

Value Floats(const ov::Shape& shape, const std::vector<float>& values) {
  return op::Constant::create(ov::element::f32, shape, values);
}

Value Integers(const std::vector<int64_t>& values) {
  return op::Constant::create(ov::element::i64, {values.size()}, values);
}

std::shared_ptr<op::Parameter> Image(int64_t channels) {
  return std::make_shared<op::Parameter>(ov::element::f32, ov::PartialShape{-1, channels, -1, -1});
}

std::shared_ptr<ov::Model> ModelOf(const Value& result,
                                   const std::shared_ptr<op::Parameter>& input) {
  return std::make_shared<ov::Model>(ov::OutputVector{result}, ov::ParameterVector{input});
}

Value Sum(const Value& a, const Value& b) { return std::make_shared<op::Add>(a, b); }
Value Product(const Value& a, const Value& b) { return std::make_shared<op::Multiply>(a, b); }

Value Convolve(const Value& input, const Convolution& layer) {
  const auto in = static_cast<size_t>(layer.in);
  const auto out = static_cast<size_t>(layer.out);
  const auto sum = std::make_shared<op::Convolution>(input, Floats({out, in, 3, 3}, layer.weight),
                                                     ov::Strides{1, 1}, ov::CoordinateDiff{1, 1},
                                                     ov::CoordinateDiff{1, 1}, ov::Strides{1, 1});
  return std::make_shared<op::Add>(sum, Floats({1, out, 1, 1}, layer.bias));
}

// Depth to space in the order of torch.pixel_shuffle: channel c, then row, then column.
Value Shuffle(const Value& input) {
  return std::make_shared<op::DepthToSpace>(input, op::DepthToSpace::DepthToSpaceMode::DEPTH_FIRST,
                                            kSrvggScale);
}

Value Nearest(const Value& image) {
  std::vector<int64_t> channels;
  for (int64_t c = 0; c < 3; ++c) channels.insert(channels.end(), kSrvggScale * kSrvggScale, c);
  return std::make_shared<op::Gather>(image, Integers(channels), Integers({1}));
}

std::shared_ptr<ov::Model> SrvggModel(const std::vector<Convolution>& layers) {
  const auto input = Image(3);
  Value y = input;
  for (size_t i = 0; i < layers.size(); ++i) {
    y = Convolve(y, layers[i]);
    if (i + 1 == layers.size()) break;
    const std::vector<float> slope(static_cast<size_t>(layers[i].out), kSrvggSlope);
    y = std::make_shared<op::PRelu>(y, Floats({slope.size()}, slope));
  }
  return ModelOf(Shuffle(std::make_shared<op::Add>(y, Nearest(input))), input);
}

// Root mean square of what the network adds to the picture of noise.
double ResidualOf(const std::vector<Convolution>& layers, const std::vector<float>& noise) {
  constexpr auto kSide = static_cast<size_t>(kSrvggNoiseSide);
  const auto input = Image(3);
  const auto infer = [&noise](const std::shared_ptr<ov::Model>& model) {
    ov::Core core;
    auto compiled =
        core.compile_model(model, "CPU", ov::hint::inference_precision(ov::element::f32));
    ov::InferRequest request = compiled.create_infer_request();
    ov::Tensor tensor(ov::element::f32, {1, 3, kSide, kSide});
    std::copy(noise.begin(), noise.end(), tensor.data<float>());
    request.set_input_tensor(tensor);
    request.infer();
    const ov::Tensor out = request.get_output_tensor();
    const auto* values = out.data<const float>();
    return std::vector<float>(values, values + out.get_size());
  };
  const std::vector<float> all = infer(SrvggModel(layers));
  const std::vector<float> nearest = infer(ModelOf(Shuffle(Nearest(input)), input));
  double energy = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    const double residual = double{all[i]} - double{nearest[i]};
    energy += residual * residual;
  }
  return std::sqrt(energy / static_cast<double>(all.size()));
}

std::shared_ptr<ov::Model> Srvgg(int body, uint64_t seed) {
  std::vector<Convolution> layers = SrvggWeights(body, seed);
  const auto factor = static_cast<float>(SrvggFactor(ResidualOf(layers, SrvggNoise(seed + 1))));
  for (float& value : layers.back().weight) value *= factor;
  for (float& value : layers.back().bias) value *= factor;
  return SrvggModel(layers);
}

// The picture moved by (dx, dy), zeros where nothing came from.
Value Moved(const Value& image, int64_t dx, int64_t dy) {
  const auto before = Integers({0, 0, std::max<int64_t>(dy, 0), std::max<int64_t>(dx, 0)});
  const auto after = Integers({0, 0, std::max<int64_t>(-dy, 0), std::max<int64_t>(-dx, 0)});
  const auto zero = op::Constant::create(ov::element::f32, {}, {0.0f});
  const auto padded =
      std::make_shared<op::Pad>(image, before, after, zero, ov::op::PadMode::CONSTANT);
  const int64_t row = std::max<int64_t>(-dy, 0);
  const int64_t column = std::max<int64_t>(-dx, 0);
  const auto size = std::make_shared<op::ShapeOf>(image);
  const auto start = Integers({0, 0, row, column});
  return std::make_shared<op::Slice>(padded, start, std::make_shared<op::Add>(size, start),
                                     Integers({1, 1, 1, 1}));
}

std::shared_ptr<ov::Model> Reach(int64_t radius) {
  const auto input = Image(3);
  Value corners = Moved(input, radius, radius);
  for (const auto& [dx, dy] :
       {std::pair(-radius, -radius), std::pair(-radius, radius), std::pair(radius, -radius)}) {
    corners = std::make_shared<op::Add>(corners, Moved(input, dx, dy));
  }
  const auto half = std::make_shared<op::Multiply>(input, Floats({1}, {0.5f}));
  const auto eighth = std::make_shared<op::Multiply>(corners, Floats({1}, {0.125f}));
  return ModelOf(std::make_shared<op::Add>(half, eighth), input);
}

std::shared_ptr<ov::Model> FillMasked() {
  const auto image = Image(3);
  const auto mask = Image(1);
  const Value mean = std::make_shared<op::AvgPool>(image, ov::Strides{1, 1}, ov::Shape{2, 2},
                                                   ov::Shape{2, 2}, ov::Shape{5, 5},
                                                   /*exclude_pad=*/false);
  const Value rest = std::make_shared<op::Subtract>(Floats({1}, {1.0f}), mask);
  return std::make_shared<ov::Model>(
      ov::OutputVector{Sum(Product(image, rest), Product(mean, mask))},
      ov::ParameterVector{image, mask});
}

std::shared_ptr<ov::Model> MixPrevious() {
  const auto image = Image(3);
  const auto previous = Image(3);
  return std::make_shared<ov::Model>(ov::OutputVector{Sum(Product(image, Floats({1}, {0.6f})),
                                                          Product(previous, Floats({1}, {0.4f})))},
                                     ov::ParameterVector{image, previous});
}

std::shared_ptr<ov::Model> Nan() {
  const auto input = Image(3);
  const Value axes = Integers({0, 1, 2, 3});
  const auto range =
      std::make_shared<op::Subtract>(std::make_shared<op::ReduceMin>(input, axes, true),
                                     std::make_shared<op::ReduceMax>(input, axes, true));
  return ModelOf(std::make_shared<op::Add>(input, std::make_shared<op::Sqrt>(range)), input);
}

std::shared_ptr<ov::Model> WrongShape() {
  const auto input = Image(3);
  const auto size = std::make_shared<op::ShapeOf>(input);
  return ModelOf(
      std::make_shared<op::Slice>(input, Integers({0, 0, 0, 0}), size, Integers({1, 1, 2, 2})),
      input);
}

// Each pixel 2^22 times, added up again.
std::shared_ptr<ov::Model> Hungry() {
  const auto input = Image(3);
  const auto wide = std::make_shared<op::Tile>(input, Integers({1 << 11, 1 << 11, 1 << 8, 1 << 8}));
  const auto sum = std::make_shared<op::ReduceMean>(std::make_shared<op::Sin>(wide),
                                                    Integers({0, 1, 2, 3}), true);
  return ModelOf(std::make_shared<op::Add>(input, sum), input);
}

absl::Status WriteNetwork(const std::string& root, TestnetPackage package,
                          const std::shared_ptr<ov::Model>& model, bool halves = false) {
  TW_ASSIGN_OR_RETURN(const std::string folder,
                      WritePackage(root, package, "openvino", "model.xml", halves));
  // Not ov::save_model, which would store the weights in half precision.
  ov::serialize(model, absl::StrCat(folder, "/model.xml"));
  return absl::OkStatus();
}

absl::Status WriteAll(const std::string& root, const std::vector<int>& reaches) {
  const std::string suffix = "-openvino";
  for (int body : {16, 32}) {
    TW_RETURN_IF_ERROR(WriteNetwork(root, SrvggPackage(body, suffix),
                                    Srvgg(body, /*seed=*/static_cast<uint64_t>(body)),
                                    /*halves=*/true));
  }
  for (int radius : reaches) {
    TW_ASSIGN_OR_RETURN(const TestnetPackage package, ReachPackage(radius, suffix));
    TW_RETURN_IF_ERROR(WriteNetwork(root, package, Reach(radius)));
  }
  TW_RETURN_IF_ERROR(WriteNetwork(root, FillMaskedPackage(suffix), FillMasked()));
  TW_RETURN_IF_ERROR(WriteNetwork(root, MixPreviousPackage(suffix), MixPrevious()));
  const auto flawed = [&suffix](const std::string& name, const std::string& description) {
    return TestnetPackage{.name = name + suffix, .description = description, .flops = 1};
  };
  TW_RETURN_IF_ERROR(
      WriteNetwork(root, flawed("nan", "Gives NaN wherever the tile is not constant."), Nan()));
  TW_RETURN_IF_ERROR(
      WriteNetwork(root, flawed("wrong-shape", "Gives half the size that this manifest promises."),
                   WrongShape()));
  return WriteNetwork(root, flawed("hungry", "Allocates more memory than there is."), Hungry());
}

}  // namespace

absl::Status WriteOpenVinoTestnets(const std::string& root, const std::vector<int>& reaches) {
  try {
    return WriteAll(root, reaches);
  } catch (const std::exception& e) {
    return absl::InternalError(absl::StrCat("building the test networks: ", e.what()));
  }
}

}  // namespace tilewright
