// SPDX-License-Identifier: Apache-2.0
#include "server/report_tables.h"

#include <algorithm>
#include <utility>

#include "analysis/match_tables.h"
#include "analysis/similarity_table.h"
#include "analysis/sparsity_table.h"
#include "analysis/statistics_tables.h"
#include "analysis/token_flow.h"
#include "analysis/views_table.h"
#include "core/error.h"
#include "geometry/geometry_folder.h"

namespace vggt {
namespace {

std::vector<ReportTable> StatisticsTables(const TableSource& source) {
  return {HeadsTable(source.layers), LayersTable(source.layers), FramesTable(source.layers),
          PairsTable(source.layers)};
}

std::vector<ReportTable> ViewsTables(const TableSource& source) {
  const ViewReport report = ComputeViewReport(source.store, kMatchProducts, source.stop_check);
  std::vector<ReportTable> tables = {ViewsTable(source.store, report)};
  if (auto drop = DropTable(source.store, report)) tables.push_back(*std::move(drop));
  return tables;
}

std::vector<ReportTable> TokensTables(const TableSource& source) {
  const QkDescription& description = source.store.description();
  const std::vector<Hub> hubs = FindHubs(source.store, source.layers);
  return {FlowTable(source.layers, description), HubsTable(hubs, description),
          SinksTable(source.layers, hubs, description)};
}

std::vector<ReportTable> SparsityTables(const TableSource& source) {
  const QkDescription& description = source.store.description();
  const QkBlocks& blocks = SparsityBlocks(description);
  const RowSample sample = SparsitySample(description);
  const SparsityOptions options;
  while (source.sparsity.size() < blocks.layers.size()) {
    const size_t layer = source.sparsity.size();
    const auto known = std::ranges::find_if(source.layers, [&](const LayerStatistics* each) {
      return each->kind == blocks.kind && each->layer_index == blocks.layers[layer].index;
    });
    source.sparsity.push_back(ComputeSparsity(source.store, layer, sample, options,
                                              source.stop_check,
                                              known == source.layers.end() ? nullptr : *known));
  }
  const std::vector<LayerSparsity> layers = std::exchange(source.sparsity, {});
  return {SparsityTable(layers), SparsityHeadsTable(layers), BlockMasksTable(layers, options)};
}

std::vector<ReportTable> SimilarityTables(const TableSource& source) {
  std::vector<LayerSimilarity> layers;
  for (const QkBlocks& blocks : source.store.description().blocks) {
    for (LayerSimilarity& layer : ComputeSimilarity(source.store, blocks.kind, source.stop_check)) {
      layers.push_back(std::move(layer));
    }
  }
  return {SimilarityTable(layers), SimilarityHeadsTable(layers)};
}

std::vector<ReportTable> MatchesTables(const TableSource& source) {
  std::optional<MatchBoard>& begun = *source.matches;
  if (!begun) begun = BeginScores(source.store, source.read_matches(), {});
  ContinueScores(source.store, *begun, source.stop_check);
  const MatchBoard board = *std::exchange(begun, std::nullopt);
  const std::vector<size_t> order = BestHeads(board, board.scores.size());
  return {MatchHeadsTable(board, order, "matches"), MatchPairsTable(board, order)};
}

constexpr ReportTableMaker kMakers[] = {
    {"heads", true, false, StatisticsTables},
    {"layers", true, false, StatisticsTables},
    {"frames", true, false, StatisticsTables},
    {"pairs", true, false, StatisticsTables},
    {"views", false, false, ViewsTables},
    {"drop_robustvggt_combined_below_0_4", false, false, ViewsTables},
    {"flow", true, false, TokensTables},
    {"hubs", true, false, TokensTables},
    {"sinks", true, false, TokensTables},
    {"sparsity", true, false, SparsityTables},
    {"sparsity_heads", true, false, SparsityTables},
    {"block_masks", true, false, SparsityTables},
    {"matches", false, true, MatchesTables},
    {"match_pairs", false, true, MatchesTables},
    {"similarity", false, false, SimilarityTables},
    {"similarity_heads", false, false, SimilarityTables},
};

}  // namespace

SceneMatches ReadOwnMatches(const Export& described, const FrameList& frames) {
  const auto folder = described.GeometryFolder();
  if (!folder) {
    throw MissingFile("this export has no geometry to hold heads against", "",
                      "Export with `geometry`, or add cameras with vggt-attn geometry.");
  }
  SceneMatches matches = MatchesOf(ReadGeometryFolder(*folder, frames), frames);
  if (!matches.pairs.empty()) return matches;
  throw Error("its geometry has no depth, or no two pictures that share enough of what they show",
              folder->string());
}

std::span<const ReportTableMaker> ReportTableMakers() { return kMakers; }

const ReportTableMaker* FindReportTable(std::string_view name) {
  const auto found = std::ranges::find(kMakers, name, &ReportTableMaker::name);
  return found == std::end(kMakers) ? nullptr : found;
}

}  // namespace vggt
