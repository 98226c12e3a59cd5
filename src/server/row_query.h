// SPDX-License-Identifier: Apache-2.0
// Requests for exact attention as the API has them (docs/http-api.md), and what one may cost.
#pragma once

#include <chrono>

#include "attention/attention_request.h"
#include "server/map_query.h"

namespace vggt {

// Nothing is computed for longer. The page waits 30 s for an answer (web/src/wire.ts).
inline constexpr std::chrono::seconds kAnswerTime{25};

// Products (AttentionRows::Products) that one thread computes sooner than it wakes others: a tenth
// of a millisecond.
inline constexpr double kInstantProducts = 3e4;
// Those that are computed before anybody notices: a tenth of a second of two processors.
inline constexpr double kQuickProducts = 1e8;

// Whether a request is for exact attention.
bool AsksForRows(const QueryPairs& query);

// Throws Refusal (400) for a name that is unknown or given twice, and for more values than one
// answer holds; RequestError for its values.
RowQuery ParseRowQuery(const QueryPairs& query, const QkDescription& description);

// Throws Refusal (400) if so many products could not be computed in kAnswerTime by far.
void CheckCost(double products);

}  // namespace vggt
