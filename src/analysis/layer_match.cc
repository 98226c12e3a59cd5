// SPDX-License-Identifier: Apache-2.0
#include "analysis/layer_match.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "analysis/stored_rows.h"
#include "attention/request.h"
#include "core/error.h"
#include "ops/half_rows.h"
#include "ops/row_block.h"

namespace vggt {
namespace {

// Each patch's query and key side by side, in that order or the other, so that one product of two
// such rows is ℓ_{a→b} + ℓ_{b→a}, summed over heads.
FloatBuffer BothSides(const StoredRows& rows, QkSide first, int64_t frame) {
  const std::vector<int64_t> tokens = FramePatches(rows.grid(), frame);
  const QkSide second = first == QkSide::kQuery ? QkSide::kKey : QkSide::kQuery;
  const FloatBuffer left = rows.AllHeads(first, tokens), right = rows.AllHeads(second, tokens);
  const auto width = static_cast<size_t>(rows.width());
  FloatBuffer both(2 * width * tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    std::memcpy(both.data() + 2 * i * width, left.data() + i * width, width * sizeof(float));
    std::memcpy(both.data() + (2 * i + 1) * width, right.data() + i * width, width * sizeof(float));
  }
  return both;
}

int64_t LargestPlace(std::span<const float> row) {
  return std::max_element(row.begin(), row.end()) - row.begin();
}

LayerMatch MatchOf(std::span<const float> row, double temperature, int64_t width) {
  LayerMatch match;
  match.patch = LargestPlace(row);
  match.logit = row[static_cast<size_t>(match.patch)];
  double sum = 0;
  for (int64_t j = 0; j < std::ssize(row); ++j) {
    const double p = std::exp((row[static_cast<size_t>(j)] - match.logit) / temperature);
    sum += p;
    const int64_t cell_row = j / width, column = j % width;
    match.x += p * (static_cast<double>(column) + 0.5);
    match.y += p * (static_cast<double>(cell_row) + 0.5);
  }
  match.x /= sum;
  match.y /= sum;
  match.probability = 1 / sum;
  return match;
}

}  // namespace

std::vector<LayerMatch> MatchPatches(const QkStore& store, std::span<const size_t> layers,
                                     int64_t a, int64_t b, double temperature,
                                     const StopCheck& stop_check) {
  const QkBlocks& blocks = BlocksOf(store.description(), BlockKind::kGlobal);
  const TokenGrid grid = store.description().token_grid(blocks);
  for (const int64_t frame : {a, b}) {
    if (frame >= 0 && frame < grid.frames) continue;
    throw Error(fmt::format("there is no picture {}", frame), "",
                fmt::format("Pictures count from 0 to {}.", grid.frames - 1));
  }
  if (!(temperature > 0)) throw Error("the temperature of a match must be above 0");
  const int64_t patches = grid.patches(), wide = 2 * blocks.heads * blocks.head_dim;
  const auto share =
      static_cast<float>(blocks.scale / static_cast<double>(2 * blocks.heads * std::ssize(layers)));
  std::vector<float> mean(static_cast<size_t>(patches * patches));
  const auto row = [&](size_t i) {
    return std::span(mean).subspan(i * static_cast<size_t>(patches), static_cast<size_t>(patches));
  };
  for (const size_t layer : layers) {
    const StoredRows rows(store, blocks, layer, false);
    const FloatBuffer queries = BothSides(rows, QkSide::kQuery, a);
    const FloatBuffer others = BothSides(rows, QkSide::kKey, b);
    const PackedKeys keys(patches, others.data(), wide);
    ParallelFor(static_cast<size_t>((patches + kMostBlockRows - 1) / kMostBlockRows), 1,
                [&](size_t block) {
                  CheckStop(stop_check);
                  const int64_t first = static_cast<int64_t>(block) * kMostBlockRows;
                  const int64_t count = std::min(kMostBlockRows, patches - first);
                  FloatBuffer values(static_cast<size_t>(RowBlockSize(count, patches)));
                  FloatBuffer scratch(static_cast<size_t>(RowBlockScratch(wide)));
                  LogitRows(count, queries.data() + first * wide, keys, share, scratch.data(),
                            values.data());
                  for (int64_t i = 0; i < count; ++i) {
                    AddScaled(values.data() + i * keys.stride(), patches, 1,
                              row(static_cast<size_t>(first + i)).data());
                  }
                });
  }
  std::vector<LayerMatch> matches(static_cast<size_t>(patches));
  ParallelFor(matches.size(), 16,
              [&](size_t i) { matches[i] = MatchOf(row(i), temperature, grid.width); });
  // The first row with the largest value of each column.
  std::vector<size_t> best(static_cast<size_t>(patches));
  for (size_t i = 1; i < best.size(); ++i) {
    for (size_t j = 0; j < best.size(); ++j) {
      if (row(i)[j] > row(best[j])[j]) best[j] = i;
    }
  }
  for (size_t i = 0; i < matches.size(); ++i) {
    matches[i].mutual = best[static_cast<size_t>(matches[i].patch)] == i;
  }
  return matches;
}

}  // namespace vggt
