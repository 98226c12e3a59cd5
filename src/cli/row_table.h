// SPDX-License-Identifier: Apache-2.0
// Exact attention as text, for one answer after another.
#pragma once

#include <functional>
#include <string>

#include "attention/attention_rows.h"

namespace vggt {

// Takes the next piece of a text.
using TextSink = std::function<void(const std::string&)>;

// A line for each value, layer,head,frame,file,time,token,row,col,value, after one that names
// these. `head` is a number, "mean" or "max"; `file` what the frame was taken from, `time` where in
// that video, in seconds, both empty if there is no saying; `token` a special token's name, or
// "patch" with its row and column. Values in 9 digits, which tell float32 apart; "nan" where the
// query does not attend. A frame at a time.
void WriteCsvHeader(const TextSink& write);
void WriteRowsCsv(const AttentionRequest& request, const QkDescription& description,
                  const QkBlocks& blocks, const AttentionAnswer& answer, const TextSink& write);

// For each layer and head and frame the share of patches and special tokens, and the best patch,
// with the frame's file if it is known: what people want to see first.
std::string SummaryHeader(const AttentionRequest& request);
std::string RowsSummary(const AttentionRequest& request, const QkDescription& description,
                        const QkBlocks& blocks, const AttentionAnswer& answer);

}  // namespace vggt
