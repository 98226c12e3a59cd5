// SPDX-License-Identifier: Apache-2.0
#include "model/synthetic.h"

#include <cmath>

#include "core/error.h"
#include "core/parallel.h"
#include "formats/safetensors.h"
#include "model/families/da3.h"
#include "model/families/omega.h"
#include "model/families/pi3.h"
#include "model/families/vggt.h"

namespace vggt {
namespace {

constexpr uint64_t kGolden = 0x9E3779B97F4A7C15;  // splitmix64's increment

uint64_t Fnv1a(const std::string& text) {
  uint64_t hash = 0xCBF29CE484222325;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001B3;
  return hash;
}

uint64_t SplitMix64(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

struct Scale {
  double mean, spread;
};

Scale ScaleOf(const std::string& name, const Shape& shape) {
  if (name.ends_with("q_norm.weight") || name.ends_with("k_norm.weight")) return {1.5, 0.5};
  if (name.ends_with("gamma")) return {0.3, 0.2};
  if (name.find(".pose_branch.fc2.") != std::string::npos) {
    // Four small steps towards a camera that sees something.
    if (name.ends_with("bias")) return {0.25, 0.1};
    return {0.0, 0.1 * std::sqrt(3.0 / static_cast<double>(shape.at(1)))};
  }
  if (name.find("norm") != std::string::npos && name.ends_with("weight")) return {1.0, 0.3};
  if (name.ends_with("bias")) return {0.0, 0.1};
  if (name.ends_with("weight")) {
    const auto fan_in = static_cast<double>(NumElements({shape.begin() + 1, shape.end()}));
    return {0.0, std::sqrt(3.0 / fan_in)};
  }
  return {0.0, 0.5};  // tokens and position embeddings
}

VggtExtents Extents(int64_t dim, int64_t depth, int64_t head_dim, int64_t encoder_depth) {
  const bool encoder = encoder_depth > 0;
  return {.dim = dim,
          .depth = depth,
          .head_dim = head_dim,
          .hidden = 4 * dim,
          .registers = 4,
          .has_encoder = encoder,
          .encoder_depth = encoder_depth,
          .encoder_registers = encoder ? 4 : 0,
          .position_grid = encoder ? 37 : 0};
}

ModelPlan Plan(int64_t dim, int64_t depth, int64_t head_dim, int64_t encoder_depth) {
  return VggtPlan(Extents(dim, depth, head_dim, encoder_depth));
}

ModelPlan Da3(int64_t dim, int64_t depth, int64_t start) {
  return Da3Plan({.dim = dim,
                  .depth = depth,
                  .start = start,
                  .head_dim = 64,
                  .hidden = 4 * dim,
                  .position_grid = 37});
}

ModelPlan Pi3() {
  return Pi3Plan({.dim = 1024,
                  .depth = 36,
                  .head_dim = 64,
                  .hidden = 4096,
                  .registers = 5,
                  .encoder_depth = 24,
                  .encoder_registers = 4,
                  .position_grid = 37});
}

ModelPlan Omega() {
  return OmegaPlan({.dim = 1024,
                    .depth = 24,
                    .head_dim = 64,
                    .hidden = 4096,
                    .registers = 16,
                    .encoder_depth = 24,
                    .encoder_head_dim = 64,
                    .storage_tokens = 4});
}

// The periods of DINOv3's rotary embedding, rounded to bfloat16 as files have them.
FloatBuffer Periods(int64_t count) {
  FloatBuffer periods(count);
  for (int64_t i = 0; i < count; ++i) {
    const double power = static_cast<double>(i) / static_cast<double>(count);
    periods[i] = BF16ToF32(F32ToBF16(static_cast<float>(std::pow(100.0, power))));
  }
  return periods;
}

// The values as they stand in a file.
std::vector<uint8_t> Encode(const FloatBuffer& values, DType dtype) {
  const size_t size = DTypeSize(dtype);
  std::vector<uint8_t> bytes(values.size() * size);
  if (dtype == DType::kF32) {
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const uint16_t bits = dtype == DType::kF16 ? F32ToF16(values[i]) : F32ToBF16(values[i]);
    std::memcpy(&bytes[i * size], &bits, size);
  }
  return bytes;
}

}  // namespace

const std::vector<SyntheticPreset>& SyntheticPresets() {
  static const std::vector<SyntheticPreset> presets = {
      {"vggt-1b", "VGGT-1B's extents: 909 million parameters", Plan(1024, 24, 64, 24)},
      {"mini", "the bundled model's extents", Plan(128, 6, 32, 2)},
      {"tiny-dino", "two layers with a small DINOv2 encoder", Plan(128, 2, 64, 2)},
      {"tiny-conv", "three layers with a bare patch convolution", Plan(64, 3, 16, 0)},
      {"streamvggt", "StreamVGGT's: vggt-1b's, to be used with its family",
       StreamVggtPlan(Extents(1024, 24, 64, 24))},
      {"pi3", "Pi3's: 758 million parameters", Pi3()},
      {"da3-small", "Depth Anything 3 small's: 22 million parameters", Da3(384, 12, 4)},
      {"da3-large", "Depth Anything 3 large's: 304 million parameters", Da3(1024, 24, 8)},
      {"omega", "VGGT-Omega's: 908 million parameters", Omega()},
  };
  return presets;
}

FloatBuffer SyntheticTensor(const std::string& name, const Shape& shape, uint64_t seed) {
  if (name.ends_with("periods")) return Periods(NumElements(shape));
  const uint64_t start = Fnv1a(name) + seed * kGolden;
  const bool is_mask = name.ends_with("bias_mask");
  const Scale scale = ScaleOf(name, shape);
  FloatBuffer values(NumElements(shape));
  constexpr size_t kPiece = 1 << 16;
  ParallelFor((values.size() + kPiece - 1) / kPiece, 1, [&](size_t piece) {
    for (size_t i = piece * kPiece; i < std::min((piece + 1) * kPiece, values.size()); ++i) {
      const uint64_t z = SplitMix64(start + (i + 1) * kGolden);
      const double u = static_cast<double>(z >> 40) / (1 << 23) - 1;  // [-1, 1)
      const double value = scale.mean + scale.spread * u;
      values[i] = static_cast<float>(!is_mask ? value : value < 0 ? 0 : 1);
    }
  });
  return values;
}

HeadsPlan SyntheticHeads(const ModelPlan& plan) {
  const int64_t width = 2 * plan.dim(), quarter = plan.dim() / 4;
  const CameraHeadExtents camera{
      .width = width, .blocks = 4, .hidden = 4 * width, .pose_hidden = width / 2, .heads = 16};
  DptExtents dense{.width = width,
                   .channels = {quarter, 2 * quarter, 4 * quarter, 4 * quarter},
                   .features = quarter,
                   .half = quarter / 2,
                   .last = 32,
                   .outputs = 2};
  HeadsPlan heads;
  heads.camera = VggtCameraHead(camera, kCameraHeadName);
  heads.depth = VggtDptHead(dense, kDepthHeadName);
  dense.outputs = 4;
  heads.points = VggtDptHead(dense, kPointHeadName);
  heads.layers = DefaultTapLayers(plan.count(BlockKind::kGlobal));
  return heads;
}

void WriteSyntheticCheckpoint(const std::filesystem::path& path, const ModelPlan& plan, DType dtype,
                              uint64_t seed, const std::function<void(double)>& progress,
                              AtomicOptions options, const HeadsPlan& heads) {
  std::vector<SafetensorsWriter::Entry> entries;
  for (const WantedTensor& tensor : PlanTensors(plan)) {
    entries.push_back({plan.prefix + tensor.name, dtype, tensor.shape});
  }
  for (const WantedTensor& tensor : HeadTensors(heads)) {
    entries.push_back({heads.prefix + tensor.name, dtype, tensor.shape});
  }
  SafetensorsWriter writer(path, entries, {{"format", "pt"}}, options);
  int64_t done = 0, all = 0;
  for (const auto& entry : entries) all += NumElements(entry.shape);
  for (const auto& entry : entries) {
    writer.Append(Encode(SyntheticTensor(entry.name, entry.shape, seed), dtype));
    done += NumElements(entry.shape);
    if (progress) progress(static_cast<double>(done) / static_cast<double>(all));
  }
  writer.Commit();
}

}  // namespace vggt
