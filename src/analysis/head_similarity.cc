// SPDX-License-Identifier: Apache-2.0
#include "analysis/head_similarity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/row_sample.h"
#include "attention/request.h"
#include "core/error.h"

namespace vggt {
namespace {

constexpr int64_t kQueriesOfFrame = 4, kMostQueries = 32;

// -Σ x ln x of (a[i] + b[i]) / 2. With a = b that is the entropy of a, bit for bit.
double MixedEntropy(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = 0.5 * (static_cast<double>(a[i]) + static_cast<double>(b[i]));
    sum -= x > 0 ? x * std::log(x) : 0;
  }
  return sum;
}

double Entropy(std::span<const float> row) { return MixedEntropy(row, row); }

// Calls add(place among the queries, row) for each query.
template <typename Add>
void ForEachRow(const QkStore& store, const HeadRef& head, const std::vector<int64_t>& queries,
                const Add& add) {
  const HeadTiles tiles(store, head, {Definition::kModel, false, queries});
  tiles.ForEachRowBlock([&](const RowBlock& block) {
    const auto first = std::lower_bound(queries.begin(), queries.end(), block.rows.front());
    for (size_t i = 0; i < block.rows.size(); ++i) {
      add(static_cast<size_t>(first - queries.begin()) + i, block.row(i));
    }
  });
}

}  // namespace

std::vector<int64_t> SimilarityQueries(const TokenGrid& grid) {
  const int64_t of_frame = std::clamp<int64_t>(kMostQueries / grid.frames, 1, kQueriesOfFrame);
  const std::vector<int64_t> all = PatchRows(SampledRows(grid, of_frame), grid);
  const int64_t count = std::min<int64_t>(std::ssize(all), kMostQueries);
  std::vector<int64_t> queries;
  for (int64_t i = 0; i < count; ++i) {
    queries.push_back(all[static_cast<size_t>(i * std::ssize(all) / count)]);
  }
  return queries;
}

std::string SimilarityDefinition(const TokenGrid& grid) {
  return fmt::format(
      "Jensen–Shannon distance of two heads' rows of attention: the square root of the divergence "
      "in bits, from 0 (equal) to 1 (no common key). Mean over {} patches of {}, evenly spaced; "
      "softmax over all keys, after RoPE.",
      SimilarityQueries(grid).size(),
      grid.frames == 1 ? "one picture" : fmt::format("{} pictures", grid.frames));
}

std::vector<HeadDistance> SimilarHeads(const QkStore& store, const HeadRef& head,
                                       const StopCheck& stop_check) {
  const QkBlocks& blocks = BlocksOf(store.description(), head.kind);
  const std::vector<int64_t> queries = SimilarityQueries(store.description().token_grid(blocks));
  std::vector<std::vector<float>> rows(queries.size());
  std::vector<double> entropies(queries.size());
  ForEachRow(store, head, queries, [&](size_t query, std::span<const float> row) {
    rows[query].assign(row.begin(), row.end());
    entropies[query] = Entropy(row);
  });

  const auto heads = static_cast<size_t>(blocks.heads);
  std::vector<HeadDistance> found(blocks.layers.size() * heads);
  // One thread takes a whole head: the rows of one are too few for several.
  ParallelFor(found.size(), 1, [&](size_t i) {
    CheckStop(stop_check);
    found[i] = {i / heads, static_cast<int>(i % heads) + 1, 0};
    if (found[i].layer == head.layer && found[i].head == head.head) return;
    std::vector<double> distances(queries.size());
    try {
      ForEachRow(store, {head.kind, found[i].layer, found[i].head}, queries,
                 [&](size_t query, std::span<const float> row) {
                   const double nats =
                       MixedEntropy(row, rows[query]) - 0.5 * (Entropy(row) + entropies[query]);
                   distances[query] = std::sqrt(std::clamp(nats / std::log(2.0), 0.0, 1.0));
                 });
    } catch (const Error&) {
      distances[0] = std::numeric_limits<double>::quiet_NaN();
    }
    for (const double distance : distances) found[i].distance += distance;
    found[i].distance /= static_cast<double>(queries.size());
  });
  std::erase_if(found, [&](const HeadDistance& other) {
    return std::isnan(other.distance) || (other.layer == head.layer && other.head == head.head);
  });
  std::stable_sort(found.begin(), found.end(), [](const HeadDistance& a, const HeadDistance& b) {
    return a.distance < b.distance;
  });
  return found;
}

}  // namespace vggt
