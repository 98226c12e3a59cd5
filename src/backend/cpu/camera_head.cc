// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/camera_head.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/cpu/block.h"
#include "backend/cpu/weight_loader.h"
#include "backend/cpu/workspace.h"
#include "ops/rowwise.h"

namespace vggt {
namespace {

// Two of a pose's numbers: the fields of view, vertical and horizontal.
constexpr int64_t kFirstFieldOfView = 7;

void Normalize(const NormParameters& norm, int64_t rows, int64_t width, const float* x, float* y) {
  LayerNorm(rows, width, x, norm.weight.data(), norm.bias.data(), norm.eps, y);
}

std::vector<float> Activated(std::vector<float> poses) {
  for (size_t i = 0; i < poses.size(); ++i) {
    const bool field_of_view = i % kPoseNumbers >= kFirstFieldOfView;
    if (field_of_view && poses[i] < 0) poses[i] = 0;  // NaN stays
  }
  return poses;
}

}  // namespace

CameraHead::CameraHead(const Checkpoint& checkpoint, const std::string& prefix,
                       const CameraHeadSpec& spec, Precision precision, const StopCheck& stop_check)
    : CameraHead(WeightLoader(checkpoint, prefix, precision), spec, precision, stop_check) {}

CameraHead::CameraHead(WeightLoader loader, const CameraHeadSpec& spec, Precision precision,
                       const StopCheck& stop_check)
    : spec_(spec),
      precision_(precision),
      token_norm_(loader.Norm(spec.token_norm)),
      trunk_norm_(loader.Norm(spec.trunk_norm)),
      empty_pose_(loader.Values(spec.empty_pose)),
      embed_pose_(loader.LayerInF32(spec.embed_pose, LinearEpilogue::kNone)),
      modulation_(loader.LayerInF32(spec.modulation, LinearEpilogue::kNone)),
      fc1_(loader.LayerInF32(spec.fc1, LinearEpilogue::kGelu)),
      fc2_(loader.LayerInF32(spec.fc2, LinearEpilogue::kAddToOutput)) {
  for (const BlockSpec& block : spec.trunk) {
    CheckStop(stop_check);
    trunk_.push_back(loader.Block(block, false));
  }
}

void CameraHead::Modulate(const std::vector<float>& pose, const FloatBuffer& token,
                          const FloatBuffer& plain, FloatBuffer& z,
                          CompiledProducts& products) const {
  const int64_t width = spec_.width, frames = std::ssize(pose) / kPoseNumbers;
  FloatBuffer embedded(frames * width), modulation(frames * 3 * width);
  embed_pose_.Run(frames, pose.data(), embedded.data(), products);
  for (float& e : embedded.span()) e = e / (1 + std::exp(-e));
  modulation_.Run(frames, embedded.data(), modulation.data(), products);
  for (int64_t f = 0; f < frames; ++f) {
    const float* shift = modulation.data() + f * 3 * width;
    const float *scale = shift + width, *gate = scale + width;
    for (int64_t c = 0; c < width; ++c) {
      const int64_t i = f * width + c;
      z[i] = gate[c] * (plain[i] * (1 + scale[c]) + shift[c]) + token[i];
    }
  }
}

std::vector<std::vector<float>> CameraHead::Run(int64_t frames, const float* tokens,
                                                const StopCheck& stop_check,
                                                const Watch& watch) const {
  const int64_t width = spec_.width, values = frames * width;
  const auto show = [&](const char* name, int64_t iteration, std::span<const float> x) {
    if (watch) watch(name + std::to_string(iteration), x);
  };
  CompiledProducts products;
  Workspace workspace(spec_.trunk, width, frames, precision_);
  const TokenGrid grid{frames, 1, 0, 0};  // a token for each frame
  FloatBuffer token(values), plain(values), z(values), hidden(frames * fc1_.out());
  Normalize(token_norm_, frames, width, tokens, token.data());
  if (watch) watch("token", token.span());
  const std::vector<float> ones(width, 1), zeros(width, 0);
  LayerNorm(frames, width, token.data(), ones.data(), zeros.data(), kModulatedNormEps,
            plain.data());

  std::vector<float> pose(frames * kPoseNumbers, 0), so_far(pose.size());
  for (int64_t f = 0; f < frames; ++f) {
    std::copy_n(empty_pose_.data(), kPoseNumbers, so_far.begin() + f * kPoseNumbers);
  }
  std::vector<std::vector<float>> poses;
  for (int64_t i = 0; i < spec_.iterations; ++i) {
    Modulate(so_far, token, plain, z, products);
    show("modulated_", i, z.span());
    for (size_t b = 0; b < trunk_.size(); ++b) {
      CheckStop(stop_check);
      if (!RunBlock(spec_.trunk[b], trunk_[b], grid, z.data(), nullptr, {}, workspace)) {
        std::ranges::fill(z.span(), std::numeric_limits<float>::quiet_NaN());
      }
    }
    show("trunk_", i, z.span());
    Normalize(trunk_norm_, frames, width, z.data(), z.data());
    fc1_.Run(frames, z.data(), hidden.data(), products);
    fc2_.Run(frames, hidden.data(), pose.data(), products);  // adds to the pose
    show("pose_raw_", i, pose);
    so_far = pose;
    poses.push_back(Activated(pose));
  }
  return poses;
}

double CameraHead::MemoryBytes(const CameraHeadSpec& spec, Precision precision) {
  double values = 0, in_blocks = 0;
  for (const WantedTensor& tensor : HeadTensors(spec)) {
    values += static_cast<double>(NumElements(tensor.shape));
  }
  for (const BlockSpec& block : spec.trunk) in_blocks += block.weights();
  const double saved = precision == Precision::kBf16 ? sizeof(uint16_t) : 0;
  return values * sizeof(float) - in_blocks * saved;
}

}  // namespace vggt
