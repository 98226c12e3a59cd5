// SPDX-License-Identifier: Apache-2.0
// A request for exact attention in words, whoever asks it: the fields of docs/http-api.md.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "attention/request_text.h"
#include "attention/token_query.h"

namespace vggt {

// Each as text; absent if it was not given.
struct AttentionRequest {
  std::optional<std::string> definition, rope, block, layers, heads, reduce, frame, row, col, rows,
      cols, cells, token, incoming, frames, tokens;
};

struct AttentionField {
  const char* name;
  std::optional<std::string> AttentionRequest::*text;
};

// All of them.
std::span<const AttentionField> AttentionFields();

struct RowQuery {
  TokenQuery query;
  bool all_tokens = false;  // special tokens are wanted, too
};

// Throws RequestError naming the field: kNotThere for blocks, layers and special tokens that the
// store has not.
RowQuery ParseAttentionRequest(const AttentionRequest& request, const QkDescription& description);

}  // namespace vggt
