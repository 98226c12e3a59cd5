// SPDX-License-Identifier: Apache-2.0
// What the query of a request for exact attention asks for (docs/http-api.md).
#pragma once

#include "query/attention_rows.h"
#include "server/map_query.h"

namespace vggt {

// Products of one query, one key and one head that an answer may cost: some ten seconds of two
// processors.
inline constexpr double kMostProducts = 4e9;
// The same where normalisers of incoming attention are computed, which is done many rows at a time.
inline constexpr double kMostIncomingProducts = 1e11;

struct RowQuery {
  TokenQuery query;
  bool all_tokens = false;  // answer special tokens, too
};

// Whether a request is for exact attention.
bool AsksForRows(const QueryPairs& query);

// Throws Refusal (400) for a name that is unknown or missing, a value out of range or given twice,
// and for more than one answer holds or may cost; (404) for blocks or a layer that the store has
// not.
RowQuery ParseRowQuery(const QueryPairs& query, const QkDescription& description);

}  // namespace vggt
