// SPDX-License-Identifier: Apache-2.0
// A dense prediction head (DptSpec, model/heads_plan.h): depth or points of one frame.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "backend/cpu/bilinear.h"
#include "core/parallel.h"
#include "model/heads_plan.h"
#include "ops/precision.h"
#include "weights/checkpoint.h"

namespace vggt {

// Shown an intermediate of a head by its name, a map of `channels` values a pixel.
using HeadWatch =
    std::function<void(const std::string& name, const float* x, MapSize size, int64_t channels)>;

// Values of a map that are computed at a time where it is large.
inline constexpr int64_t kDptStripValues = 2 << 20;

// For frames of one size: weights are packed for it, and buffers are kept from frame to frame.
class DptHead {
 public:
  // `patches`: rows and columns of patches. `precision` concerns the convolutions; float32 is what
  // the original computes heads in. Throws Error as WeightLoader does.
  DptHead(const Checkpoint& checkpoint, const std::string& prefix, const DptSpec& spec,
          MapSize patches, int64_t patch_size, Precision precision,
          int64_t strip_values = kDptStripValues);
  DptHead(DptHead&&) noexcept;
  DptHead& operator=(DptHead&&) noexcept;
  ~DptHead();

  MapSize pixels() const;  // rows and columns of what is predicted, which are the frame's

  // `read_tap` writes the patch tokens [patches, width] of a level's tap, 0 … 3, and is called once
  // for each. raw [pixels, outputs]: before the activations. On all threads.
  //
  // Shown are projected_k (with positions), side_k (after the ReLU that all begin with), fused_k
  // (before it is enlarged), output_conv1 and raw.
  void Run(const std::function<void(size_t level, float* tokens)>& read_tap, float* raw,
           const StopCheck& stop_check = {}, const HeadWatch& watch = {});

  // Bytes that the object holds for a frame of this size, weights and buffers.
  static double MemoryBytes(const DptSpec& spec, MapSize patches, int64_t patch_size,
                            Precision precision);

 private:
  struct Network;
  std::unique_ptr<Network> network_;
};

// depth [pixels] along the camera's axis and confidence [pixels] from 1 on, of raw [pixels, 2]:
// exp and 1 + exp.
void ActivateDepth(int64_t pixels, const float* raw, float* depth, float* confidence);
// points [pixels, 3] in the cameras' world and confidence [pixels], of raw [pixels, 4]: of each
// coordinate sign(v) · (exp|v| - 1).
void ActivatePoints(int64_t pixels, const float* raw, float* points, float* confidence);

}  // namespace vggt
