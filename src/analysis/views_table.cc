// SPDX-License-Identifier: Apache-2.0
#include "analysis/views_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "analysis/layer_choice.h"
#include "analysis/stored_rows.h"
#include "attention/softmax_groups.h"

namespace vggt {
namespace {

struct MatchPairs {
  std::vector<FramePair> pairs;
  bool all = true;
};

constexpr const char* kNotSeen =
    "Queries do not see all pictures: there are neither outlier scores, whose anchor would not see "
    "the others, nor saliences, which are sums over all pictures; retrieval relevance and mean "
    "logits are those of pairs whose queries see the keys.";
constexpr const char* kPairsNotSeen =
    "Queries do not see all pictures: match scores are those of pairs (a, b) where b's queries see "
    "a's keys.";

// Whether queries of picture a see the keys of picture b.
bool Sees(const QkBlocks& blocks, const QkDescription& description, int64_t a, int64_t b) {
  const FrameRange seen = AttendedFrames(blocks.attends, a, description.frames, false);
  return b >= seen.first && b < seen.last;
}

void KeepPairsThatMeet(const QkBlocks& blocks, const QkDescription& description,
                       PairScores& scores) {
  for (int64_t a = 0; a < scores.frames; ++a) {
    for (int64_t b = 0; b < scores.frames; ++b) {
      if (!Sees(blocks, description, a, b)) scores.at(a, b) = std::nan("");
    }
  }
}

// The match score of (a, b) is of keys of a and queries of b.
MatchPairs PairsWithin(const QkDescription& description, const QkBlocks& blocks, double products) {
  const int64_t frames = description.frames;
  MatchPairs chosen;
  const double of_all =
      static_cast<double>(frames) * MatchScoreProducts(description, blocks, frames - 1);
  if (of_all <= products) {
    for (int64_t a = 0; a < frames; ++a) {
      for (int64_t b = 0; b < frames; ++b) {
        if (a != b && Sees(blocks, description, b, a)) chosen.pairs.emplace_back(a, b);
      }
    }
    return chosen;
  }
  chosen.all = false;
  const auto fit = static_cast<int64_t>(products / MatchScoreProducts(description, blocks, 1));
  const int64_t count = std::clamp<int64_t>(fit, 1, frames - 1);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t a = i * (frames - 1) / count;
    if (Sees(blocks, description, a + 1, a)) chosen.pairs.emplace_back(a, a + 1);
  }
  return chosen;
}

ReportArray ArrayOf(const std::string& name, const std::string& text, const PairScores& scores) {
  return {name,
          "[pictures, pictures]",
          text,
          {scores.frames, scores.frames},
          std::vector<float>(scores.values.begin(), scores.values.end())};
}

const QkBlocks& GlobalBlocks(const QkStore& store) {
  return *store.description().Find(BlockKind::kGlobal);
}

TableCell CellOf(const std::vector<double>& values, size_t i) {
  return values.empty() ? TableCell() : TableCell(values[i]);
}

}  // namespace

std::string PictureFile(const QkDescription& description, int64_t frame) {
  const auto i = static_cast<size_t>(frame);
  return i < description.sources.size() ? SourceText(description.sources[i]) : "";
}

double MeanOfPicture(const PairScores& scores, int64_t frame) {
  double sum = 0, count = 0;
  for (int64_t other = 0; other < scores.frames; ++other) {
    for (const double value : {scores.at(frame, other), scores.at(other, frame)}) {
      if (other == frame || std::isnan(value)) continue;
      sum += value;
      ++count;
    }
  }
  return sum / count;
}

ViewReport ComputeViewReport(const QkStore& store, double match_products,
                             const StopCheck& stop_check) {
  const QkDescription& description = store.description();
  const QkBlocks& blocks = GlobalBlocksOfSeveral(store, "a score of pictures");
  ViewReport report;
  const bool all = blocks.attends == Attends::kAll;
  if (!all) {
    report.notes.emplace_back(kNotSeen);
    report.match_notes.emplace_back(kPairsNotSeen);
  }
  report.outlier_layer = blocks.layers.size() - 1;
  report.match_layer = NearestLayer(blocks, kMatchScoreIndex);

  const std::vector<float> unit_sums = store.Extras(blocks, report.outlier_layer).x_unit_sum;
  if (unit_sums.empty()) {
    report.notes.emplace_back(
        "The store knows nothing of hidden states, so that there are no cosines of them and no "
        "combined outlier score. Exports made by this version have them.");
  } else {
    report.cosines = MeanCosines(unit_sums, description.frames, description.H_p * description.W_p);
  }
  if (blocks.rope.type == RopeType::kApplied) {
    report.notes.emplace_back(
        "Queries and keys were rotated before they were stored, so that there are no outlier "
        "scores and no retrieval relevance, which are defined before RoPE.");
  } else {
    if (all) {
      report.outlier =
          ComputeOutlierScores(store, report.outlier_layer, report.anchor, unit_sums, stop_check);
    }
    report.relevance = RetrievalRelevance(store, report.relevance_layer);
    KeepPairsThatMeet(blocks, description, *report.relevance);
  }
  const MatchPairs pairs = PairsWithin(description, blocks, match_products);
  report.all_pairs = pairs.all;
  report.match = MatchScores(store, report.match_layer, pairs.pairs, stop_check);
  if (!pairs.all) {
    report.match_notes.push_back(
        fmt::format("Match scores are those of {} pairs of neighbouring pictures out of {} pairs, "
                    "because all would take too long.",
                    pairs.pairs.size(), description.frames * (description.frames - 1)));
  }
  report.mean_logits = MeanLogits(store, report.outlier_layer);
  KeepPairsThatMeet(blocks, description, report.mean_logits);
  report.salience = Salience(report.mean_logits);
  if (!all) report.salience.assign(report.salience.size(), std::nan(""));
  return report;
}

std::string OutlierText(const QkStore& store, const ViewReport& report) {
  if (!report.outlier.has_value()) return "";
  std::string text = fmt::format(
      "RobustVGGT (CVPR 2026), as its code has it, of {}, with picture {} as anchor. Attention: "
      "softmax over all keys before RoPE, mean over heads and the anchor's patch queries, as a map "
      "scaled by its least and largest value, averaged in each picture.",
      LayerText(GlobalBlocks(store), report.outlier_layer), report.anchor);
  if (report.outlier->combined.empty()) {
    return text + " It is scaled to 0 … 1 over the pictures, so that one of them always has 0.";
  }
  return text + fmt::format(
                    " Feature: mean cosine of the hidden states of all pairs of patches of the "
                    "picture and the anchor. Both are scaled to 0 … 1 over the pictures, so that "
                    "one of them always has 0; combined is half of each, and pictures below {} "
                    "(the code) or {} (its README) are rejected.",
                    kOutlierThreshold, kOutlierThresholdReadme);
}

std::string MatchText(const QkStore& store, const ViewReport& report) {
  const QkBlocks& blocks = GlobalBlocks(store);
  const bool published = blocks.layers[report.match_layer].index == kMatchScoreIndex;
  return fmt::format(
      "Match score of VGGT-SLAM 2 and VGGT-SPARK, of {}{}. For each patch key u of picture a: "
      "softmax over all queries of both pictures of q·k after RoPE without 1/√d, mean over heads, "
      "divided by (its largest value over a's queries + 1e-8); of each query of b, those of "
      "special "
      "tokens too, the largest over u; mean of those that reach their 75th percentile. Accepted "
      "from {} on. The published one "
      "is of a pass over the two pictures alone; this one is read out of a pass over all pictures "
      "of the export.",
      LayerText(blocks, report.match_layer),
      published ? "" : fmt::format(" (published: index {})", kMatchScoreIndex),
      kMatchScoreAccepted);
}

std::string RelevanceText(const QkStore& store, const ViewReport& report) {
  if (!report.relevance.has_value()) return "";
  return fmt::format(
      "Retrieval relevance (RetrieveVGGT), of {}: mean over heads of the product of the mean patch "
      "query of one picture and the mean patch key of another, before RoPE, without 1/√d.",
      LayerText(GlobalBlocks(store), report.relevance_layer));
}

std::string SalienceText(const QkStore& store, const ViewReport& report) {
  return fmt::format(
      "Salience (Pi3, get_attn_score), of {}: logits after RoPE, mean over all pairs of tokens of "
      "two pictures, special ones too, summed over heads; a picture's salience is their sum over "
      "all pictures of keys.",
      LayerText(GlobalBlocks(store), report.outlier_layer));
}

ReportTable ViewsTable(const QkStore& store, const ViewReport& report) {
  const QkDescription& description = store.description();
  ReportTable table;
  table.name = "views";
  table.title = "Scores of pictures";
  std::vector<std::string> texts = {OutlierText(store, report), MatchText(store, report),
                                    RelevanceText(store, report), SalienceText(store, report)};
  std::erase(texts, "");
  table.definition = fmt::format("{}", fmt::join(texts, " "));
  table.sample = fmt::format("all tokens of {} pictures", description.frames);
  table.columns = {
      {"picture", "", "from 0"},
      {"file", "", "the file it was taken from"},
      {"robustvggt_attention", "share", "RobustVGGT's attention score, scaled over the pictures"},
      {"robustvggt_feature", "share", "RobustVGGT's feature score, scaled over the pictures"},
      {"robustvggt_combined", "share", "half of each"},
      {"match_score_mean", "", "mean match score of the pairs with this picture, either way"},
      {"relevance_for_first", "logit", "retrieval relevance of this picture for picture 0"},
      {"relevance_mean", "logit", "mean retrieval relevance of this picture for the others"},
      {"pi3_salience", "logit", "Pi3's salience"}};
  const int64_t frames = description.frames;
  for (int64_t f = 0; f < frames; ++f) {
    const auto i = static_cast<size_t>(f);
    const OutlierScores outlier = report.outlier.value_or(OutlierScores());
    std::vector<TableCell> row = {f,
                                  PictureFile(description, f),
                                  CellOf(outlier.attention, i),
                                  CellOf(outlier.feature, i),
                                  CellOf(outlier.combined, i),
                                  MeanOfPicture(report.match, f)};
    if (report.relevance.has_value()) {
      double sum = 0, count = 0;
      for (int64_t a = 0; a < frames; ++a) {
        if (a == f || std::isnan(report.relevance->at(a, f))) continue;
        sum += report.relevance->at(a, f);
        ++count;
      }
      row.emplace_back(report.relevance->at(0, f));
      row.emplace_back(sum / count);
    } else {
      row.resize(row.size() + 2);
    }
    row.emplace_back(report.salience[i]);
    table.rows.push_back(std::move(row));
  }
  table.arrays = {
      ArrayOf("match_score", "match score of a (row) and b (column)", report.match),
      ArrayOf("pi3_mean_logits", "mean logit of queries of a and keys of b", report.mean_logits)};
  if (report.relevance.has_value()) {
    table.arrays.push_back(
        ArrayOf("retrieval_relevance", "relevance of b for a", *report.relevance));
  }
  if (report.cosines.has_value()) {
    table.arrays.push_back(ArrayOf("mean_cosine",
                                   "mean cosine of hidden states of a and b, of the "
                                   "last layer",
                                   *report.cosines));
  }
  return table;
}

std::optional<ReportTable> DropTable(const QkStore& store, const ViewReport& report) {
  if (!report.outlier.has_value() || report.outlier->combined.empty()) return std::nullopt;
  const std::vector<double>& scores = report.outlier->combined;
  ReportTable table;
  table.name = "drop_robustvggt_combined_below_0_4";
  table.title = "Pictures that RobustVGGT would reject";
  table.definition = OutlierText(store, report);
  table.sample = fmt::format("all tokens of {} pictures", store.description().frames);
  table.columns = {{"picture", "", "from 0"},
                   {"file", "", "the file it was taken from"},
                   {"robustvggt_combined", "share", "the combined score"},
                   {"below_0_3", "", "1 if it is below 0.3, too"}};
  for (const int64_t frame : PicturesBelow(scores, kOutlierThreshold, report.anchor)) {
    const double score = scores[static_cast<size_t>(frame)];
    table.rows.push_back({frame, PictureFile(store.description(), frame), score,
                          int64_t{score < kOutlierThresholdReadme}});
  }
  return table;
}

}  // namespace vggt
