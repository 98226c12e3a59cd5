// SPDX-License-Identifier: Apache-2.0
// AttentionBf16 on the matrix tiles of AMX.
#pragma once

#include <cstdint>
#include <optional>

#include "ops/amx.h"
#include "ops/attention.h"

namespace vggt {

// Whether AttentionAmx can run on this processor's tiles: HasAmx() (amx.h), and the kernels are not
// held to an instruction set below AVX-512. Only builds for x86-64 can.
bool AttentionRunsOnTiles();

// What kernels multiply with that also run on vectors: tiles where they can, else none.
inline std::optional<TileUnit> BestTileUnit() {
  return AttentionRunsOnTiles() ? std::optional(TileUnit::kProcessor) : std::nullopt;
}

// Computes what AttentionBf16 (attention_bf16.h) computes, to the same precision. The result does
// not depend on the number of threads. TileUnit::kProcessor needs AttentionRunsOnTiles().
void AttentionAmx(const AttentionShape& shape, const float* q, const float* k, const float* v,
                  uint16_t* out, AttentionWorkspace& workspace,
                  TileUnit unit = TileUnit::kProcessor);

}  // namespace vggt
