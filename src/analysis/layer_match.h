// SPDX-License-Identifier: Apache-2.0
// Which patch of one picture belongs to which of another, read off the logits of several layers at
// once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/parallel.h"
#include "store/qk/qk_store.h"

namespace vggt {

// The temperature of poincar3's benchmark: next to the largest nothing is left.
inline constexpr double kMatchTemperature = 1e-4;

struct LayerMatch {
  int64_t patch = 0;    // of picture b with the largest L̄; of equal ones the first
  double x = 0, y = 0;  // the mean of all patch centres, weighted by their probabilities: columns
                        // and rows from the upper left corner, a centre at + 0.5
  double probability = 0;  // of `patch`
  double logit = 0;        // L̄ at `patch`
  bool mutual = false;     // the largest L̄ of that patch is here
};

// For each patch of picture a, as the package poincar3 (davnords, 2026) matches two pictures: L̄ =
// the mean over layers and heads of ½ (ℓ_{a→b} + ℓ_{b→a}ᵀ), logits after RoPE with their scale; the
// softmax of L̄ / temperature over b's patches. `layers` are places among the global layers, at
// least one (published: all). Throws Error as StoredRows, and if a or b are out of range or the
// temperature is not above 0. Memory: L̄, patches × patches, and one layer's rows of two pictures.
std::vector<LayerMatch> MatchPatches(const QkStore& store, std::span<const size_t> layers,
                                     int64_t a, int64_t b, double temperature = kMatchTemperature,
                                     const StopCheck& stop_check = {});

}  // namespace vggt
