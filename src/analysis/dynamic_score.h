// SPDX-License-Identifier: Apache-2.0
// Which patches of a video move, told from queries and keys alone: the dynamic map of VGGT4D
// (arXiv 2511.19971), as its published code computes it before clustering and thresholding.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/parallel.h"
#include "store/qk/qk_store.h"

namespace vggt {

// Frames at these distances are a frame's window, as far as there are such frames.
inline constexpr std::array<int64_t, 6> kDynamicWindow = {-6, -4, -2, 2, 4, 6};

// Each is a map of a frame's patches u over the patches v of all frames w of its window: products
// without 1/√d, after RoPE, of all heads of some layers. `mean`: the mean over layers, heads, w and
// v. `spread`: the mean over layers, heads and w, then the standard deviation over v.
enum class DynamicPart {
  kEarlyQueryMean,    // q_u·q_v, layers 3 … 7 of 24, from 0
  kLateQuerySpread,   // q_u·q_v, layers 18 and 19
  kLateQueryMean,     // q_u·q_v, layers 17 … 21
  kFirstKeyMean,      // k_u·k_v, layer 0
  kFirstCrossSpread,  // q_u·k_v, layer 0
};
inline constexpr size_t kDynamicParts = 5;

struct DynamicPartInfo {
  DynamicPart part;
  const char* name;                 // of arrays: "early_query_mean"
  const char* label;                // "1 − mean q·q, early"
  std::span<const int64_t> layers;  // from 0, of 24
  bool spread;
  bool inverted;  // the factor is 1 minus the scaled map
};
// All of them, in the order of the enumeration.
std::span<const DynamicPartInfo, kDynamicParts> DynamicParts();

// The layers of this store that stand in for those of a part in a model of 24 blocks: those that
// lie as deep (analysis/layer_choice.h).
std::vector<size_t> DynamicLayers(const QkDescription& description, const QkBlocks& blocks,
                                  const DynamicPartInfo& part);

// x becomes (x − least) / (largest − least + 1e-6): how all maps of a frame are scaled.
void ScaleMap(std::span<float> map);

struct DynamicScores {
  int64_t frames = 0, patches = 0;
  // [frames, patches]: the product of the five factors, scaled to 0 … 1 in each frame; NaN in
  // frames without a window. Scaling is (x − least) / (largest − least + 1e-6) everywhere.
  std::vector<float> score;
  // [frames, patches]: each part scaled to 0 … 1 in each frame, not yet inverted; NaN as above.
  std::array<std::vector<float>, kDynamicParts> parts;
  std::vector<int64_t> without_window;  // frames that have no map
};

// Pictures are taken to be in the order of time. Throws Error as StoredRows, if there are no global
// blocks, and if there are fewer than three pictures. Memory: the queries of 13 frames in all
// layers of a part that is a spread.
DynamicScores ComputeDynamicScores(const QkStore& store, const StopCheck& stop_check = {});

}  // namespace vggt
