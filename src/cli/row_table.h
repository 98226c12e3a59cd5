// SPDX-License-Identifier: Apache-2.0
// Exact attention as text.
#pragma once

#include <string>

#include "query/attention_rows.h"

namespace vggt {

// A line for each value: layer,head,frame,file,time,token,row,col,value. `head` is a number, "mean"
// or "max"; `file` what the frame was taken from, `time` where in that video, in seconds, both
// empty if there is no saying; `token` a special token's name, or "patch" with its row and column.
// Values in 9 digits, which tell float32 apart; "nan" where the query does not attend.
std::string RowsCsv(const TokenQuery& query, const QkDescription& description,
                    const QkBlocks& blocks, const AttentionAnswer& answer);

// For each layer and head and frame the share of patches and special tokens, and the best patch,
// with the frame's file if it is known: what people want to see first.
std::string RowsSummary(const TokenQuery& query, const QkDescription& description,
                        const QkBlocks& blocks, const AttentionAnswer& answer);

}  // namespace vggt
