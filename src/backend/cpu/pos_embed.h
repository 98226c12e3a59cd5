// SPDX-License-Identifier: Apache-2.0
// DINOv2's position embedding at another resolution.
#pragma once

#include "core/tensor.h"

namespace vggt {

// [n_out, n_in], row-major: bicubic resampling with a = -0.5, widened by n_in / n_out when
// shrinking, the kernel cut at the border and normalised. As PyTorch's
// interpolate(mode="bicubic", antialias=True, align_corners=False).
std::vector<double> BicubicWeights(int64_t n_in, int64_t n_out);

// pos_embed [1 + grid², dim] (cls token, then row by row) for height × width patches:
// [1 + height·width, dim]. Equal to its input if height = width = grid.
FloatBuffer ResamplePosEmbed(const FloatBuffer& pos_embed, int64_t grid, int64_t dim,
                             int64_t height, int64_t width);

}  // namespace vggt
