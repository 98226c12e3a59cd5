// SPDX-License-Identifier: Apache-2.0
#include "model/flops.h"

#include <iterator>

namespace vggt {
namespace {

// For each pixel of the map that is made.
double PixelFlops(const ConvSpec& conv) {
  return 2 * static_cast<double>(conv.in * conv.out * conv.kernel * conv.kernel);
}

double PixelFlops(const ResidualUnitSpec& unit) {
  return PixelFlops(unit.conv1) + PixelFlops(unit.conv2);
}

}  // namespace

double BlockFlops(const BlockSpec& block, const TokenGrid& stage) {
  const TokenGrid grid = block.grid(stage);
  const auto tokens = static_cast<double>(grid.tokens());
  const double dense = 2 * tokens * block.weights();
  if (!block.rest) return dense;
  // q · kᵀ, and its product with v.
  const auto channels = static_cast<double>(block.heads * block.head_dim);
  return dense + 4 * tokens * block.keys_per_query(grid) * channels;
}

double ForwardFlops(const ModelPlan& plan, int64_t frames, int64_t grid_height,
                    int64_t grid_width) {
  const auto patches = static_cast<double>(frames * grid_height * grid_width);
  double flops = 2 * patches * static_cast<double>(plan.projection.in * plan.projection.out);
  for (const StageSpec& stage : plan.stages) {
    const TokenGrid grid{frames, stage.special_tokens(), grid_height, grid_width};
    for (const BlockSpec& block : stage.blocks) flops += BlockFlops(block, grid);
  }
  return flops;
}

double HeadFlops(const DptSpec& head, int64_t grid_height, int64_t grid_width, int64_t patch_size) {
  const auto patches = static_cast<double>(grid_height * grid_width);
  const auto halved = static_cast<double>((grid_height + 1) / 2 * ((grid_width + 1) / 2));
  const double pixels[] = {16 * patches, 4 * patches, patches, halved};  // of the levels' maps
  double flops = 0;
  for (size_t k = 0; k < head.levels.size(); ++k) {
    const DptSpec::Level& level = head.levels[k];
    flops += patches * PixelFlops(level.project);
    if (level.enlarge) {
      flops += pixels[k] * 2 * static_cast<double>(level.enlarge->in * level.enlarge->out);
    }
    if (level.shrink) flops += pixels[k] * PixelFlops(*level.shrink);
    flops += pixels[k] * (PixelFlops(level.side) + PixelFlops(level.unit) + PixelFlops(level.out));
    if (level.side_unit) flops += pixels[k] * PixelFlops(*level.side_unit);
  }
  return flops + 64 * patches * PixelFlops(head.output1) +
         static_cast<double>(patch_size * patch_size) * patches *
             (PixelFlops(head.output2) + PixelFlops(head.output3));
}

double HeadFlops(const CameraHeadSpec& head, int64_t frames) {
  double weights = head.embed_pose.weights() + head.modulation.weights() + head.fc1.weights() +
                   head.fc2.weights();
  for (const BlockSpec& block : head.trunk) weights += block.weights();
  const auto rows = static_cast<double>(frames);
  const double attention =
      4 * rows * rows * static_cast<double>(head.width * std::ssize(head.trunk));
  return static_cast<double>(head.iterations) * (2 * rows * weights + attention);
}

}  // namespace vggt
