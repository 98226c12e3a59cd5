// SPDX-License-Identifier: Apache-2.0
// Heads held against known matches (correspondence.h), as tables.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "analysis/correspondence.h"
#include "analysis/report_table.h"

namespace vggt {

inline constexpr const char* kMatchDefinition =
    "A match says that patch i of picture a shows what lies at x̂ in picture b. A head's answer is "
    "the patch j* of b with the largest logit of i's query, after RoPE, without softmax; of equal "
    "ones the first. Every match of every ordered pair of pictures has the same weight. Standard "
    "errors hold as if matches were drawn at random, each by itself. Chance: answers drawn from "
    "all patches "
    "of b. Same cell: the answer is i itself. Shuffled: the head's own answers, with the "
    "places x̂ of a pair dealt out anew. After arXiv:2512.11508 (heads held against matches).";

// "head 7 of layer 12"; `place`: in MatchBoard::scores.
std::string MatchHeadText(const MatchBoard& board, size_t place);

// A row for each head: all metrics with standard errors, the hits' baselines, and the rank in
// `order`, which is BestHeads of all.
ReportTable MatchHeadsTable(const MatchBoard& board, const std::vector<size_t>& order,
                            const char* name);
// A row for each ordered pair of pictures: "match_pairs".
ReportTable MatchPairsTable(const MatchBoard& board, const std::vector<size_t>& order);

}  // namespace vggt
