// SPDX-License-Identifier: Apache-2.0
// A learned position embedding at another resolution.
#pragma once

#include <vector>

#include "core/tensor.h"
#include "model/plan.h"

namespace vggt {

// [n_out, n_in], row-major: bicubic resampling as PyTorch's interpolate(mode="bicubic",
// align_corners=False) does it. With antialias a = -0.5, widened by n_in / n_out when shrinking,
// the kernel cut at the border and normalised. Without it a = -0.75, never widened, edges repeated,
// and the scale is given as (n_out + offset) / n_in.
std::vector<double> BicubicWeights(int64_t n_in, int64_t n_out, const Resampling& resampling = {});

// pos_embed [1 + grid², dim] (cls token, then row by row) for height × width patches:
// [1 + height·width, dim]. Equal to its input if height = width = grid.
FloatBuffer ResamplePosEmbed(const FloatBuffer& pos_embed, int64_t grid, int64_t dim,
                             int64_t height, int64_t width, const Resampling& resampling = {});

}  // namespace vggt
