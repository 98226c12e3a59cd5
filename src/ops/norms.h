// SPDX-License-Identifier: Apache-2.0
// Euclidean norms of what tokens carry: of hidden states, of values, and of what a head's output
// projection makes of its values. All in float32 but for sums of unit vectors, which are added in
// double precision; on all threads, with the same results on any number of them.
#pragma once

#include <cstdint>

#include "core/token_grid.h"

namespace vggt {

// norms [heads, tokens]: ‖x‖ of each head of x [tokens, heads, head_dim], whose tokens are
// `token_stride` values apart. With one head, the norms of rows.
void HeadNorms(int64_t tokens, int64_t heads, int64_t head_dim, int64_t token_stride,
               const float* x, float* norms);

// grams [heads, head_dim, head_dim]: Wᵀ · W, where W [rows, head_dim] are a head's columns of
// weight [rows, heads · head_dim].
void HeadGrams(int64_t rows, int64_t heads, int64_t head_dim, const float* weight, float* grams);

// norms [heads, tokens]: ‖W · x‖ = √(xᵀ · Wᵀ · W · x) of each head of x, as for HeadNorms, from the
// head's gram. So W, with as many rows as the model has channels, need not be multiplied. What it
// costs are digits where W shortens x by much more than it does other vectors: a result is off by
// up to about 1e-3 of ‖W‖ · ‖x‖, ‖W‖ being the spectral norm.
void HeadGramNorms(int64_t tokens, int64_t heads, int64_t head_dim, int64_t token_stride,
                   const float* x, const float* grams, float* norms);

// sums [frames, channels]: Σ x / ‖x‖ over the patches of each frame; an x whose norm is 0 adds
// nothing. x is [tokens of the grid, channels], `norms` [tokens].
void UnitSums(const TokenGrid& grid, int64_t channels, const float* x, const float* norms,
              float* sums);

}  // namespace vggt
