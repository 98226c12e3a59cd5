// SPDX-License-Identifier: Apache-2.0
// Exact attention as text, for one answer after another.
#pragma once

#include <functional>
#include <string>

#include "attention/attention_rows.h"

namespace vggt {

// Takes the next piece of a text.
using TextSink = std::function<void(const std::string&)>;

// CSV with a line for each value, layer,head,frame,file,time,token,row,col,value, after one line
// that names these columns. `head` is a number, "mean" or "max". `file` is what the frame was taken
// from and `time` its place in that video in seconds; both are empty if they are not known. `token`
// is a special token's name, or "patch" with its row and column. Values have 9 digits, which tell
// any two float32 apart, and are "nan" where the query does not attend. The text of one frame is
// handed over at a time.
void WriteCsvHeader(const TextSink& write);
void WriteRowsCsv(const AttentionRequest& request, const QkDescription& description,
                  const QkBlocks& blocks, const AttentionAnswer& answer, const TextSink& write);

// For people: a line for each layer, head and frame with the shares of patches and of special
// tokens, the best patch, and the frame's file if it is known.
std::string SummaryHeader(const AttentionRequest& request);
std::string RowsSummary(const AttentionRequest& request, const QkDescription& description,
                        const QkBlocks& blocks, const AttentionAnswer& answer);

}  // namespace vggt
