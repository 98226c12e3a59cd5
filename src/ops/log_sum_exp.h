// SPDX-License-Identifier: Apache-2.0
// The logarithm of the softmax's denominator, for every row of an attention matrix.
#pragma once

#include <cstdint>
#include <optional>

#include "core/parallel.h"
#include "ops/amx.h"
#include "ops/attention.h"

namespace vggt {

// out[i] = ln Σ_j exp(q[i] · k[j] · scale) over all j < keys, for each i < rows. q is [rows, dim],
// k is [keys, dim], both contiguous; there is at least one key. Computed in float32 with a running
// maximum, on all threads; the result does not depend on their number. Needs memory for a copy of
// k. `stop_check` is called once for every 96 rows.
void LogSumExp(int64_t rows, const float* q, int64_t keys, const float* k, int64_t dim, float scale,
               float* out, AttentionWorkspace& workspace, const StopCheck& stop_check = {});

// The same on the given tiles, or on vectors if there are none, for comparisons. LogSumExp takes
// BestTileUnit() (attention_amx.h).
void LogSumExpOn(std::optional<TileUnit> tiles, int64_t rows, const float* q, int64_t keys,
                 const float* k, int64_t dim, float scale, float* out,
                 AttentionWorkspace& workspace, const StopCheck& stop_check = {});

}  // namespace vggt
