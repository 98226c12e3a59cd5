// SPDX-License-Identifier: Apache-2.0
// The logarithm of attention's normaliser, for every query at once.
#pragma once

#include <cstdint>

#include "core/parallel.h"
#include "ops/attention.h"

namespace vggt {

// out[i] = ln Σ_j exp(q[i] · k[j] · scale), i < rows, over all j < keys; at least one key.
// q [rows, dim], k [keys, dim]. Running maximum, float32; on all threads, the result does not
// depend on their number. Memory: a copy of k. `stop_check` is asked for every 96 rows.
void LogSumExp(int64_t rows, const float* q, int64_t keys, const float* k, int64_t dim, float scale,
               float* out, AttentionWorkspace& workspace, const StopCheck& stop_check = {});

}  // namespace vggt
