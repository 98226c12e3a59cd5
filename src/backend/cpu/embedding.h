// SPDX-License-Identifier: Apache-2.0
// From pixels to tokens.
#pragma once

#include "backend/cpu/linear.h"
#include "core/tensor.h"
#include "core/token_grid.h"
#include "model/plan.h"

namespace vggt {

// The patches of one frame as rows [patches, 3 · patch_size²], ordered by channel, row and column.
// Each pixel is divided by 255, less ImageNet's mean, over its deviation.
void ExtractPatches(const FrameBatch& frames, int64_t frame, int64_t patch_size, float* rows);

// A token for each patch, [frames, patches, dim], by the patch convolution.
FloatBuffer ProjectPatches(const FrameBatch& frames, int64_t patch_size, const Linear& projection,
                           CompiledProducts& products);

}  // namespace vggt
