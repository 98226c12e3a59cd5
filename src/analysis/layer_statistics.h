// SPDX-License-Identifier: Apache-2.0
// What one pass over a layer's attention tells of its heads: a number for each metric, and where
// each picture's patches look.
#pragma once

#include <cstdint>
#include <vector>

#include "analysis/head_metrics.h"
#include "analysis/row_sample.h"
#include "core/block_kind.h"
#include "core/parallel.h"
#include "core/token_grid.h"
#include "store/qk/qk_store.h"

namespace vggt {

// The groups of tokens between which attention flows. Queries: the first five; for each, keys of
// all six, which add up to 1. The query's own picture counts as kOwnPatches even if it is the
// first; a special token's own picture is the one that it belongs to.
enum class TokenGroup {
  kFirstCamera,   // the first special token of picture 0 (camera or cls)
  kOtherCameras,  // that of the other pictures
  kRegisters,     // all other special tokens; keys: scene tokens, too
  kFirstPatches,  // queries: patches of picture 0; keys: the same, for queries of other pictures
  kOtherPatches,  // queries: patches of the others; keys: of others than the own and the first
  kOwnPatches,    // keys alone: patches of the query's own picture
};
inline constexpr size_t kQueryGroups = 5, kKeyGroups = 6;

struct LayerStatistics {
  BlockKind kind = BlockKind::kGlobal;
  Attends attends = Attends::kAll;
  int64_t layer_index = 0;  // from 0
  TokenGrid grid;
  int64_t heads = 0;
  RowSample sample;

  // [kHeadMetrics, heads]; NaN where a metric means nothing: mutual share of a sample or of blocks
  // that do not attend to all pictures, RoPE share of a store that holds rotated values, similarity
  // of a single row.
  std::vector<double> mean;
  // [kHeadMetrics, heads]: of the mean. The rows of a patch's place are alike in all frames, so
  // that its mean over frames is one observation, as if the n sampled places were drawn at random
  // from all N without putting them back: √(s² / n · (1 - n / N)), where s² is the sample variance
  // of these means (a cluster sample: Cochran, Sampling Techniques, 1977, 9A). It is rather too
  // large where a number changes smoothly over a picture, as places are evenly spread, and too
  // small where few places hold most of it (special_mass and same_cell_mass of some heads): of
  // those that the sample has not met it cannot know. 0 of all rows; NaN of one place, of a mean
  // that is NaN, and of the similarity of sampled rows.
  std::vector<double> standard_error;
  // [kHeadMetrics]: what uniform attention over the same keys would give, the mean over the same
  // queries; NaN for the RoPE share, and for the mutual share where that is NaN.
  std::vector<double> uniform;

  // [heads, frames, frames + 1]: mean mass from the patches of a frame to those of each frame; the
  // last column is that of all special tokens and scene tokens. Rows add up to 1. The same before
  // RoPE; empty if that is not known.
  std::vector<float> frame_mass, frame_mass_before_rope;
  // [heads, kQueryGroups, kKeyGroups]: the mean over queries of the mass of a group of keys, and
  // the largest single probability. All special tokens of frames are queries here, and the patches
  // of the sample. NaN for groups of queries that do not exist; 0 for groups without keys.
  std::vector<float> flow_mean, flow_largest;
  // [heads, tokens]: the mean over the patch queries of the sample of each key's probability (0
  // from those that do not attend to it). Uniform attention gives 1 / tokens.
  std::vector<float> key_mass;

  // The place of a head's number in `mean` and `standard_error`.
  size_t At(HeadMetric metric, int64_t head) const {
    return static_cast<size_t>(metric) * static_cast<size_t>(heads) + static_cast<size_t>(head);
  }
  double Mean(HeadMetric metric, int64_t head) const { return mean[At(metric, head)]; }
  double StandardError(HeadMetric metric, int64_t head) const {
    return standard_error[At(metric, head)];
  }
  double Uniform(HeadMetric metric) const { return uniform[static_cast<size_t>(metric)]; }
};

// One pass over the rows of the sample and those of all special tokens, on all threads. `layer` is
// a place in the layers of that kind. Means are within a relative 1e-5 of those of the stored
// numbers in double precision. The result does not depend on the number of threads. `stop_check` is
// asked for each block of rows. Throws Error like HeadTiles and its ForEachRowBlock, and if the
// sample's patches are out of range or not ascending.
//
// Memory: what HeadTiles takes, some numbers for each query and frame, and the pages of the layer's
// file that were read, which are given back at the end.
LayerStatistics ComputeLayerStatistics(const QkStore& store, BlockKind kind, size_t layer,
                                       const RowSample& sample, const StopCheck& stop_check = {});

}  // namespace vggt
