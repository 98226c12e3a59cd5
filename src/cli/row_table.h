// SPDX-License-Identifier: Apache-2.0
// Exact attention as text, for one answer after another.
#pragma once

#include <string>

#include "attention/attention_rows.h"
#include "figure/table.h"

namespace vggt {

// The lines of one answer, with special tokens, in the form of figure/table.h. `scene`: of the
// export. The text of one frame is handed over at a time.
void WriteRowsCsv(const AttentionRequest& request, const std::string& scene,
                  const QkDescription& description, const QkBlocks& blocks,
                  const AttentionAnswer& answer, const PieceSink& write);

// For people, with three digits: a line for each layer, head and frame with the shares of patches
// and of special tokens, the best patch, and the frame's file if it is known.
std::string SummaryHeader(const AttentionRequest& request);
std::string RowsSummary(const AttentionRequest& request, const QkDescription& description,
                        const QkBlocks& blocks, const AttentionAnswer& answer);

}  // namespace vggt
