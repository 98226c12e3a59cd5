// SPDX-License-Identifier: Apache-2.0
#include "server/report_tables.h"

#include <algorithm>
#include <utility>

#include "analysis/similarity_table.h"
#include "analysis/sparsity_table.h"
#include "analysis/statistics_tables.h"
#include "analysis/token_flow.h"
#include "analysis/views_table.h"

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

constexpr ReportTableMaker kMakers[] = {
    {"heads", true, StatisticsTables},
    {"layers", true, StatisticsTables},
    {"frames", true, StatisticsTables},
    {"pairs", true, StatisticsTables},
    {"views", false, ViewsTables},
    {"drop_robustvggt_combined_below_0_4", false, ViewsTables},
    {"flow", true, TokensTables},
    {"hubs", true, TokensTables},
    {"sinks", true, TokensTables},
    {"sparsity", true, SparsityTables},
    {"sparsity_heads", true, SparsityTables},
    {"block_masks", true, SparsityTables},
    {"similarity", false, SimilarityTables},
    {"similarity_heads", false, SimilarityTables},
};

}  // namespace

std::span<const ReportTableMaker> ReportTableMakers() { return kMakers; }

const ReportTableMaker* FindReportTable(std::string_view name) {
  const auto found = std::ranges::find(kMakers, name, &ReportTableMaker::name);
  return found == std::end(kMakers) ? nullptr : found;
}

}  // namespace vggt
