// SPDX-License-Identifier: Apache-2.0
// How much arithmetic a forward pass is: multiplications and additions in its matrix products.
// Softmax, norms and GELU are left out, and so is what an observer computes.
#pragma once

#include "model/heads_plan.h"
#include "model/plan.h"

namespace vggt {

// `stage`: where the tokens of the block's stage stand.
double BlockFlops(const BlockSpec& block, const TokenGrid& stage);

// Of all that the plan names, for `frames` pictures of grid_height × grid_width patches. VGGT-1B up
// to its last global block's queries and keys, 5 × 25 × 37: 11.2e12.
double ForwardFlops(const ModelPlan& plan, int64_t frames, int64_t grid_height, int64_t grid_width);

// Of one frame's depth or points. VGGT-1B, 25 × 37 patches: 194e9.
double HeadFlops(const DptSpec& head, int64_t grid_height, int64_t grid_width, int64_t patch_size);
// Of all poses.
double HeadFlops(const CameraHeadSpec& head, int64_t frames);

}  // namespace vggt
