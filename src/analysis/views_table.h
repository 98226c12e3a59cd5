// SPDX-License-Identifier: Apache-2.0
// All scores of pictures and pairs of pictures (analysis/view_scores.h) of one store, as a table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analysis/report_table.h"
#include "analysis/view_scores.h"
#include "core/parallel.h"
#include "store/qk/qk_store.h"

namespace vggt {

// Multiply-adds within which match scores are computed, a second or two on two processors.
inline constexpr double kMatchProducts = 6e10;

struct ViewReport {
  // Places among the global layers.
  size_t outlier_layer = 0;    // the last one
  size_t match_layer = 0;      // the one nearest to index 22
  size_t relevance_layer = 0;  // the first one
  int64_t anchor = 0;

  std::optional<OutlierScores> outlier;  // none if what was before RoPE is not known
  PairScores match{0};
  bool all_pairs = true;                // else match scores are those of some neighbours (i, i + 1)
  std::optional<PairScores> relevance;  // none as `outlier`
  std::optional<PairScores> cosines;    // none if the store knows nothing of hidden states
  PairScores mean_logits{0};            // of outlier_layer
  std::vector<double> salience;
  // What there is not, and why, in sentences: of match scores, and of the others.
  std::vector<std::string> match_notes, notes;
};

// Where queries do not see all pictures, there are scores of those pairs alone whose queries see
// the keys; the others are NaN, as all saliences are. Match scores of all ordered pairs if that
// takes at most `match_products` multiply-adds, else of as many neighbours as do, evenly spaced, at
// least one. Throws Error as the functions of view_scores.h.
ViewReport ComputeViewReport(const QkStore& store, double match_products = kMatchProducts,
                             const StopCheck& stop_check = {});

// "views": a row for each picture, a column for each score, named after its definition; scores of
// pairs as arrays.
ReportTable ViewsTable(const QkStore& store, const ViewReport& report);

// "drop_robustvggt_combined_below_0_4": the pictures below kOutlierThreshold, and below
// kOutlierThresholdReadme. Nothing if there is no combined score.
std::optional<ReportTable> DropTable(const QkStore& store, const ViewReport& report);

// What a number of each kind is, in sentences that name the layer; "" if there is none.
std::string OutlierText(const QkStore& store, const ViewReport& report);
std::string MatchText(const QkStore& store, const ViewReport& report);
std::string RelevanceText(const QkStore& store, const ViewReport& report);
std::string SalienceText(const QkStore& store, const ViewReport& report);

// The mean over the pairs of a picture that have a score, in either order; NaN if none has.
double MeanOfPicture(const PairScores& scores, int64_t frame);

// The name of a picture's file; "" if it is not known.
std::string PictureFile(const QkDescription& description, int64_t frame);

}  // namespace vggt
