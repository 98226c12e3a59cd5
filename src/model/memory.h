// SPDX-License-Identifier: Apache-2.0
// How much memory a forward pass needs.
#pragma once

#include "model/plan.h"
#include "ops/precision.h"

namespace vggt {

// Bytes of the packed weights of all that the plan names, and of activations, for `frames` pictures
// of grid_height × grid_width patches. It is less than what is used, by what libraries keep and by
// small buffers: about 150 MB for VGGT-1B. What observers record is not counted.
double ForwardMemoryBytes(const ModelPlan& plan, int64_t frames, int64_t grid_height,
                          int64_t grid_width, Precision precision);

}  // namespace vggt
