// SPDX-License-Identifier: Apache-2.0
// How much memory a forward pass needs.
#pragma once

#include "model/config.h"
#include "ops/precision.h"

namespace vggt {

// Bytes of packed weights and of activations in a forward pass as ForwardFlops (model/flops.h)
// counts it. Less than what is used, by what libraries keep and by small buffers: about 150 MB for
// VGGT-1B. What observers record is not counted.
double ForwardMemoryBytes(const ModelConfig& config, int64_t frames, int64_t grid_height,
                          int64_t grid_width, int64_t last_layer, Precision precision);

}  // namespace vggt
