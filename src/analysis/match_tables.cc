// SPDX-License-Identifier: Apache-2.0
#include "analysis/match_tables.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>

namespace vggt {
namespace {

constexpr MatchMetric kHitMetrics[] = {MatchMetric::kHit0, MatchMetric::kHit1, MatchMetric::kHit2};

}  // namespace

std::string MatchHeadText(const MatchBoard& board, size_t place) {
  const auto heads = static_cast<size_t>(board.heads);
  return fmt::format("head {} of layer {}", place % heads + 1, board.layers[place / heads] + 1);
}

ReportTable MatchHeadsTable(const MatchBoard& board, const std::vector<size_t>& order,
                            const char* name) {
  ReportTable table;
  table.name = name;
  table.title = "How often each head finds the same point in another picture";
  table.definition = fmt::format("{} Matches: {}.", kMatchDefinition, board.matches.text);
  table.sample = board.sample;
  table.columns = HeadColumns();
  for (const MatchMetricInfo& info : MatchMetrics()) {
    table.columns.push_back({info.name, info.unit, info.definition});
  }
  for (const MatchMetricInfo& info : MatchMetrics()) {
    table.columns.push_back({fmt::format("{}_se", info.name), info.unit,
                             fmt::format("standard error of {}", info.name)});
  }
  for (const char* baseline : {"chance", "same_cell", "shuffled"}) {
    for (size_t r = 0; r < std::size(kHitMetrics); ++r) {
      table.columns.push_back({fmt::format("{}{}", baseline, r), "share",
                               fmt::format("hit{} of the baseline '{}'", r, baseline)});
    }
  }
  table.columns.push_back({"rank", "", "by hit1, then hit0, from 1"});
  std::vector<int64_t> rank(board.scores.size());
  for (size_t i = 0; i < order.size(); ++i) rank[order[i]] = static_cast<int64_t>(i) + 1;
  const auto heads = static_cast<size_t>(board.heads);
  for (size_t place = 0; place < board.scores.size(); ++place) {
    const HitScores& scores = board.scores[place];
    std::vector<TableCell> row =
        HeadCells(board.layers[place / heads], static_cast<int64_t>(place % heads));
    row.insert(row.end(), scores.value.begin(), scores.value.end());
    row.insert(row.end(), scores.standard_error.begin(), scores.standard_error.end());
    for (const MatchNumbers* baseline :
         {&board.baselines.chance, &board.baselines.same_cell, &scores.shuffled}) {
      for (const MatchMetric hit : kHitMetrics) row.emplace_back(baseline->of(hit));
    }
    row.emplace_back(rank[place]);
    table.rows.push_back(std::move(row));
  }
  return table;
}

ReportTable MatchPairsTable(const MatchBoard& board, const std::vector<size_t>& order) {
  ReportTable table;
  table.name = "match_pairs";
  table.title = "The same for each ordered pair of pictures";
  table.definition = fmt::format("{} Matches: {}.", kMatchDefinition, board.matches.text);
  table.sample = board.sample;
  table.columns = {
      {"frame_a", "", "the picture that asks, from 0"},
      {"frame_b", "", "the picture that is asked about, from 0"},
      {"matches", "", "how many there are"},
      {"chance1", "share", "hit1 by chance"},
      {"same_cell1", "share", "hit1 of the same cell"},
      {"best_hit1", "share",
       fmt::format("hit1 of {}, the best over all pairs", MatchHeadText(board, order[0]))}};
  const std::vector<PairMatches>& pairs = board.matches.pairs;
  for (size_t p = 0; p < pairs.size(); ++p) {
    table.rows.push_back({pairs[p].frame_a, pairs[p].frame_b, std::ssize(pairs[p].matches),
                          board.baselines.pair_chance1[p], board.baselines.pair_same_cell1[p],
                          board.scores[order[0]].pair_hit1[p]});
  }
  ReportArray array{"hit1",
                    "[layers, heads, pairs]",
                    "hit1 of each head for each pair, in the order of the rows",
                    {std::ssize(board.layers), board.heads, std::ssize(pairs)},
                    {}};
  for (const HitScores& scores : board.scores) {
    for (const double hit : scores.pair_hit1) array.values.push_back(static_cast<float>(hit));
  }
  table.arrays.push_back(std::move(array));
  return table;
}

}  // namespace vggt
