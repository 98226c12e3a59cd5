// SPDX-License-Identifier: Apache-2.0
#include "analysis/similarity_table.h"

#include <fmt/format.h>

namespace vggt {
namespace {

constexpr const char* kCosines =
    "within, across, same_cell: mean cosines between the vectors of two patches of one picture, of "
    "two pictures, and of two pictures at one place of the grid, of all patches, special tokens "
    "left "
    "out; from sums of unit vectors, exactly. Keys and queries are those before RoPE (as stored, "
    "where RoPE was applied before storing). effective_rank: exp(−Σ p ln p), p = σ / Σ σ, of the "
    "singular values σ of the matrix whose rows are the unit vectors of a sample of patches, not "
    "centred; stable_rank: Σ σ² / σ₁²; first_share: σ₁ / Σ σ.";

std::vector<TableCell> SimilarityPlaces(const LayerSimilarity& layer) {
  return {std::string(BlockKindName(layer.kind)), layer.layer_index + 1, layer.layer_index};
}

std::vector<TableColumn> SimilarityColumns(bool heads) {
  std::vector<TableColumn> columns = {{"block", "", "kind of block"},
                                      {"layer", "", "which of its kind of block, from 1"},
                                      {"layer_index", "", "the same from 0"}};
  if (heads) {
    columns.insert(columns.end(), {{"head", "", "from 1"}, {"head_index", "", "from 0"}});
  }
  columns.insert(columns.end(),
                 {{"of", "", "keys, queries, or hidden states, which the block hands on"},
                  {"within", "cosine", "mean over pairs of patches of a picture"},
                  {"across", "cosine", "mean over patches of two pictures"},
                  {"same_cell", "cosine", "mean over patches at one place of two pictures"},
                  {"effective_rank", "", "of a sample's unit vectors"},
                  {"stable_rank", "", "of the same"},
                  {"first_share", "share", "of the same"}});
  return columns;
}

void AddCosines(const CosineMeans& cosines, std::vector<TableCell>& row) {
  row.insert(row.end(), {cosines.within, cosines.across, cosines.same_cell});
}

void AddRanks(const MatrixRanks& ranks, std::vector<TableCell>& row) {
  row.insert(row.end(), {ranks.effective, ranks.stable, ranks.first_share});
}

std::string SimilarityVectors(std::span<const LayerSimilarity> layers) {
  if (layers.empty()) return "";
  return fmt::format("cosines: all patches; ranks and next_layer: {} patches, evenly spaced",
                     layers.front().sample.size());
}

}  // namespace

ReportTable SimilarityTable(std::span<const LayerSimilarity> layers) {
  ReportTable table;
  table.name = "similarity";
  table.title = "How alike tokens are";
  table.definition =
      std::string(kCosines) +
      " Vectors of all heads are joined to one. next_layer: the correlation of the "
      "cosines of all pairs of the sample with those of the next layer of that kind.";
  table.sample = SimilarityVectors(layers);
  table.columns = SimilarityColumns(false);
  table.columns.push_back({"next_layer", "", "correlation with the next layer's cosines"});
  for (const LayerSimilarity& layer : layers) {
    for (const bool keys : {true, false}) {
      const VectorSimilarity& of = keys ? layer.keys : layer.queries;
      std::vector<TableCell> row = SimilarityPlaces(layer);
      row.emplace_back(std::string(keys ? "keys" : "queries"));
      AddCosines(of.cosines.back(), row);
      AddRanks(of.ranks.back(), row);
      row.emplace_back(of.next_layer);
      table.rows.push_back(std::move(row));
    }
    if (layer.hidden_frames.empty()) continue;
    std::vector<TableCell> row = SimilarityPlaces(layer);
    row.emplace_back(std::string("hidden states"));
    AddCosines(layer.hidden, row);
    row.resize(table.columns.size());
    table.rows.push_back(std::move(row));
  }
  const auto add = [&](BlockKind kind, const char* of, auto frames) {
    ReportArray array{fmt::format("{}_{}", of, BlockKindName(kind)),
                      "[layers, pictures, pictures]",
                      "mean cosine between patches of two pictures; of one picture, within",
                      {},
                      {}};
    int64_t count = 0, pictures = 0;
    for (const LayerSimilarity& layer : layers) {
      const std::vector<double>& values = frames(layer);
      if (layer.kind != kind || values.empty()) continue;
      array.values.insert(array.values.end(), values.begin(), values.end());
      pictures = layer.grid.frames;
      ++count;
    }
    array.shape = {count, pictures, pictures};
    if (count > 0) table.arrays.push_back(std::move(array));
  };
  for (const BlockKind kind : kBlockKinds) {
    using Layer = LayerSimilarity;
    add(
        kind, "keys", [](const Layer& layer) -> const auto& { return layer.keys.frames; });
    add(
        kind, "queries", [](const Layer& layer) -> const auto& { return layer.queries.frames; });
    add(
        kind, "hidden", [](const Layer& layer) -> const auto& { return layer.hidden_frames; });
  }
  return table;
}

ReportTable SimilarityHeadsTable(std::span<const LayerSimilarity> layers) {
  ReportTable table;
  table.name = "similarity_heads";
  table.title = "How alike the tokens of each head are";
  table.definition = kCosines;
  table.sample = SimilarityVectors(layers);
  table.columns = SimilarityColumns(true);
  for (const LayerSimilarity& layer : layers) {
    for (int64_t h = 0; h < layer.heads; ++h) {
      for (const bool keys : {true, false}) {
        const VectorSimilarity& of = keys ? layer.keys : layer.queries;
        std::vector<TableCell> row = SimilarityPlaces(layer);
        row.insert(row.end(), {h + 1, h, std::string(keys ? "keys" : "queries")});
        AddCosines(of.cosines[static_cast<size_t>(h)], row);
        AddRanks(of.ranks[static_cast<size_t>(h)], row);
        table.rows.push_back(std::move(row));
      }
    }
  }
  return table;
}

}  // namespace vggt
