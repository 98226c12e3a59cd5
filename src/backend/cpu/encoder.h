// SPDX-License-Identifier: Apache-2.0
// From pixels to patch tokens: a patch convolution, or DINOv2 on top of it.
#pragma once

#include <functional>

#include "backend/cpu/block.h"
#include "backend/cpu/parameters.h"
#include "backend/cpu/workspace.h"

namespace vggt {

// RGB pictures of one size, [count, height, width, 3]; height and width are multiples of 14.
struct FrameBatch {
  int64_t count = 0, height = 0, width = 0;
  const uint8_t* rgb = nullptr;

  int64_t grid_height() const { return height / kPatchSize; }
  int64_t grid_width() const { return width / kPatchSize; }
  int64_t patches() const { return grid_height() * grid_width(); }
};

// The patches of one frame as rows [patches, 3·14·14] (channel, row, column), each pixel divided by
// 255, less ImageNet's mean, over its deviation.
void ExtractPatches(const FrameBatch& frames, int64_t frame, float* rows);

// Called with the index of each block of the encoder. Each may be empty.
struct EncoderCalls {
  std::function<BlockWatch(int64_t)> before_block;
  std::function<void(int64_t)> after_block;  // may throw to stop
};

// Patch tokens: out [count, patches, dim]. `x` [count, special + patches, dim] is working memory.
void Encode(const EncoderParameters& encoder, const ModelConfig& config, const FrameBatch& frames,
            float* x, Workspace& workspace, const EncoderCalls& calls, float* out);

}  // namespace vggt
