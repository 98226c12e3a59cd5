// SPDX-License-Identifier: Apache-2.0
// Exact attention: what the parameters of a request ask for, what one request may cost, and the
// answer in the form in which it is sent (docs/http-api.md).
#pragma once

#include <string>

#include "attention/attention_rows.h"
#include "formats/json.h"
#include "server/message.h"

namespace vggt {

// Throws Refusal (400) for a name that is unknown or given twice, and for more values than one
// answer holds; RequestError for its values.
AttentionRequest ParseRowRequest(const RequestParams& params, const QkDescription& description);

// Whether stats=1 asks for RowStats (row_stats.h), too. Throws Refusal (400) if it is neither 0
// nor 1.
bool AsksForStats(const RequestParams& params);

// Throws Refusal (400) if so many products (AttentionRows::Products) take far more than
// kAnswerTime (message.h) on so many threads of any processor.
void CheckCost(double products, int threads);

// A .npy file of float32: [layers, heads, frames, H_p, W_p], or [layers, heads, frames, tokens] if
// all tokens were asked for. Behind it, if the answer has such shares, a second one: `dropped`,
// float64 [layers, heads].
std::string RowsNpy(const AttentionRequest& request, const QkDescription& description,
                    const AttentionAnswer& answer);

// What was asked, and for probabilities the sums over each frame's patches and special tokens
// instead of the values.
OrderedJson RowsJson(const AttentionRequest& request, const QkDescription& description,
                     const AttentionAnswer& answer);

}  // namespace vggt
