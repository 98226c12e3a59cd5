// SPDX-License-Identifier: Apache-2.0
// Exact attention as it is sent (docs/http-api.md).
#pragma once

#include <string>

#include "attention/attention_request.h"
#include "attention/attention_rows.h"
#include "formats/json.h"

namespace vggt {

// A .npy file of float32: [layers, heads, frames, H_p, W_p], or [layers, heads, frames, tokens] if
// all tokens were asked for.
std::string RowsNpy(const RowQuery& row_query, const QkDescription& description,
                    const AttentionAnswer& answer);

// What was asked, and the sums of each frame's patches and special tokens instead of their values.
OrderedJson RowsJson(const RowQuery& row_query, const QkDescription& description,
                     const AttentionAnswer& answer);

}  // namespace vggt
