// SPDX-License-Identifier: Apache-2.0
// How alike a layer's tokens are: mean cosines between its keys, its queries and its hidden states,
// how many directions they fill, and how much their likeness changes from one layer to the next.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/block_kind.h"
#include "core/parallel.h"
#include "core/token_grid.h"
#include "store/qk/qk_store.h"

namespace vggt {

// Means of cosines between the vectors of patches; special tokens are left out. The cosine with a
// vector of zeros is 0. NaN if there are no such pairs. They follow from sums of unit vectors x̂:
// of n vectors (‖Σ x̂‖² − Σ ‖x̂‖²) / (n (n − 1)), between two sets (Σ_A x̂)·(Σ_B x̂) / (n_A n_B).
struct CosineMeans {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  double within = kNone;     // two different patches of a picture; the mean over pictures
  double across = kNone;     // a patch of one picture and one of another; the mean over their pairs
  double same_cell = kNone;  // the patches at one place of the grid in two different pictures
};

// Of a matrix with singular values σ and p = σ / Σ σ. 0 each of a matrix of zeros.
struct MatrixRanks {
  double effective = 0;    // exp(−Σ p ln p) (Roy and Vetterli, 2007): from 1 to the smaller side
  double stable = 0;       // Σ σ² / σ₁²
  double first_share = 0;  // σ₁ / Σ σ
};

// Vectors as they are stored, before RoPE, which turns each by its place.
struct VectorSimilarity {
  // [heads + 1]: of each head's vectors, then of those of all heads joined.
  std::vector<CosineMeans> cosines;
  // [heads + 1]: of the matrix whose rows are the sample's unit vectors, not centred.
  std::vector<MatrixRanks> ranks;
  // [frames, frames]: mean cosine between the joined vectors of two pictures; of one, `within`.
  std::vector<double> frames;
  // The correlation of the joined vectors' cosines, pair by pair of the sample, with those of the
  // next layer of that kind in the store. NaN of the last one, and where all cosines are equal.
  double next_layer = CosineMeans::kNone;
};

struct LayerSimilarity {
  BlockKind kind = BlockKind::kGlobal;
  int64_t layer_index = 0;  // from 0
  TokenGrid grid;
  int64_t heads = 0;
  std::vector<int64_t> sample;  // tokens of ranks and next_layer
  VectorSimilarity keys, queries;
  // Of what the block hands on; same_cell is not known. NaN and empty if the store has no sums of
  // its unit vectors.
  CosineMeans hidden;
  std::vector<double> hidden_frames;  // [frames, frames]
};

// All layers of a kind, ascending. Cosines are those of all patches, exact to 1e-6. On all threads,
// layers shared out; the result does not depend on their number. Throws Error if the store has no
// such blocks, like QkStore::Layer and Extras, and if values are infinite or not numbers.
std::vector<LayerSimilarity> ComputeSimilarity(const QkStore& store, BlockKind kind,
                                               const StopCheck& stop_check = {});

// At most 512 patches, evenly spaced over pictures and their grids, as tokens, ascending.
std::vector<int64_t> SimilaritySample(const TokenGrid& grid);

// x [rows, cols].
MatrixRanks RanksOf(std::span<const double> x, int64_t rows, int64_t cols);

// Pearson's; NaN if one of them does not vary. Both have as many values.
double Correlation(std::span<const float> a, std::span<const float> b);

// From sums [frames, channels] of the unit vectors of `patches` patches each.
std::vector<double> CosinesOfSums(std::span<const float> sums, int64_t frames, int64_t patches);

}  // namespace vggt
