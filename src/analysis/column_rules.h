// SPDX-License-Identifier: Apache-2.0
// Rules of sparse attention whose keys are the same for all queries, or nearly so: how much mass
// they keep follows from sums over the columns of attention. A part of sparsity.h.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "analysis/layer_statistics.h"
#include "analysis/sparsity.h"
#include "core/token_grid.h"

namespace vggt {

// [tokens]: sums of a key's probabilities: of all queries, of those of the key's picture, and of
// those by a softmax over their picture's patches alone (empty of weighted masses).
struct ColumnSums {
  std::vector<double> all, own, intra;
};

// Of one head. Sums are those of each half of the sample, so that keys that are chosen by one half
// can be measured by the other: few rows would choose themselves. If all rows are taken, they are
// the first half.
struct ColumnTally {
  std::array<ColumnSums, 2> halves;
  std::vector<double> diagonal;  // [strides]: of queries whose own token the grid leaves out
};

// Whether a patch is one of every `stride`-th row and column of its grid.
bool InGrid(const TokenGrid& grid, int64_t token, int64_t stride);

struct ColumnRulesInput {
  const TokenGrid& grid;
  Attends attends;
  const SparsityOptions& options;
  int64_t rows;                              // how many queries the tallies add up
  std::vector<const ColumnTally*> plain;     // [heads]
  std::vector<const ColumnTally*> weighted;  // [heads], or empty: the lengths are not known
  std::span<const uint8_t> half_of;          // [tokens]: which half of the sample a query is in
  bool split;                                // whether there are two halves
  std::span<const int64_t> column_rows;      // the queries of which the kept share is told
  // May be null: then the tallies stand for them. `own_scores` [tokens] are what patches get from
  // those of their own picture, of the rows of the statistics.
  const LayerStatistics* statistics;
  std::span<const double> own_scores;
};

// The outcomes of kGrid, kOwnPicture and all anchors, in this order. They do not depend on the
// number of threads.
std::vector<SparsityOutcome> ColumnOutcomes(const ColumnRulesInput& input);

}  // namespace vggt
