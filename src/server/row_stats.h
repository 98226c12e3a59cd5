// SPDX-License-Identifier: Apache-2.0
// What stats=1 adds to an answer of exact attention (docs/http-api.md): where colour scales of its
// values end.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "attention/attention_rows.h"
#include "server/answer_form.h"

namespace vggt {

// Of patches alone, over all frames that the query meets, whichever were asked for: so that frames
// which are shown apart can have one scale.
struct RowStats {
  std::vector<double> of_heads;  // [layers, heads, 3]: least, p99, largest (value_stats.h)
  // [layers, heads, all frames]: the sum over the frame's patches; NaN if they are no
  // probabilities.
  std::vector<double> masses;
  std::vector<double> of_all;  // [3]: of all layers and heads together
};

// What rows.Answer(request) is, and its stats. `request` names its layers, heads and frames. At
// most `most_bytes` of values at all frames are in memory at a time, or one layer's if those are
// more. Throws like AttentionRows::Answer.
std::pair<AttentionAnswer, RowStats> RowsWithStats(const AttentionRows& rows,
                                                   const AttentionRequest& request,
                                                   const StopCheck& stop_check,
                                                   size_t most_bytes = kMostAnswerBytes);

// Three .npy files of float64: of_heads, masses, of_all.
void AppendStats(const RowStats& stats, const Shape& answer, std::string& body);

}  // namespace vggt
