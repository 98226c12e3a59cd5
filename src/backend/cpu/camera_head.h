// SPDX-License-Identifier: Apache-2.0
// The camera head (CameraHeadSpec, model/heads_plan.h): a pose for each frame.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "backend/cpu/linear.h"
#include "backend/cpu/parameters.h"
#include "backend/cpu/weight_loader.h"
#include "core/parallel.h"
#include "core/tensor.h"
#include "model/heads_plan.h"
#include "weights/checkpoint.h"

namespace vggt {

class CameraHead {
 public:
  // `precision` concerns the trunk's linear layers; float32 is what the original computes heads in.
  // Throws Error as WeightLoader does.
  CameraHead(const Checkpoint& checkpoint, const std::string& prefix, const CameraHeadSpec& spec,
             Precision precision, const StopCheck& stop_check = {});

  // Shown an intermediate by its name, [frames, channels].
  using Watch = std::function<void(const std::string& name, std::span<const float> x)>;

  // tokens [frames, width], the last layer's tap at the camera tokens -> after each iteration the
  // poses [frames, 9], whose fields of view (the last two numbers) are at least 0. Shown are token,
  // and modulated_i, trunk_i and pose_raw_i of each iteration.
  std::vector<std::vector<float>> Run(int64_t frames, const float* tokens,
                                      const StopCheck& stop_check = {},
                                      const Watch& watch = {}) const;

  // Bytes of the weights.
  static double MemoryBytes(const CameraHeadSpec& spec, Precision precision);

 private:
  CameraHead(WeightLoader loader, const CameraHeadSpec& spec, Precision precision,
             const StopCheck& stop_check);

  // z [frames, width] = gate · (plain · (1 + scale) + shift) + token, of the pose so far.
  void Modulate(const std::vector<float>& pose, const FloatBuffer& token, const FloatBuffer& plain,
                FloatBuffer& z, CompiledProducts& products) const;

  CameraHeadSpec spec_;
  Precision precision_;
  NormParameters token_norm_, trunk_norm_;
  FloatBuffer empty_pose_;
  Linear embed_pose_, modulation_, fc1_, fc2_;
  std::vector<BlockParameters> trunk_;
};

}  // namespace vggt
