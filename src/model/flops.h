// SPDX-License-Identifier: Apache-2.0
// How much arithmetic a forward pass is.
#pragma once

#include "model/config.h"

namespace vggt {

// Multiplications and additions in the matrix products of a forward pass over `frames` pictures of
// grid_height × grid_width patches up to the queries and keys of global block `last_layer`
// (0-based); -1: of the encoder alone. Softmax, norms and GELU are left out. VGGT-1B, 5 × 25 × 37,
// all layers: 11.2e12.
double ForwardFlops(const ModelConfig& config, int64_t frames, int64_t grid_height,
                    int64_t grid_width, int64_t last_layer);

}  // namespace vggt
