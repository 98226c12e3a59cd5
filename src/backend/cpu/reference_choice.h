// SPDX-License-Identifier: Apache-2.0
// Which frame is the reference of a scene, where a model chooses it.
#pragma once

#include <cstdint>

#include "core/token_grid.h"

namespace vggt {

// x [tokens of the grid, dim]. The frame that is nearest to the middle in three respects, each of
// its first special token c: the mean cosine to those of the others, ‖c‖, and the variance over the
// channels of c / ‖c‖ (divided by dim - 1). Each is scaled to [0, 1] over the frames; the sum of
// distances to 1/2 counts. The first of several; frame 0 of fewer than three. This is Depth
// Anything 3's rule "saddle_balanced".
int64_t ChooseReference(const TokenGrid& grid, const float* x, int64_t dim);

}  // namespace vggt
