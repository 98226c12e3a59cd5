// SPDX-License-Identifier: Apache-2.0
#include "server/row_query.h"

#include <algorithm>

#include "core/parallel.h"
#include "server/message.h"

namespace vggt {
namespace {

// More than any processor does on one thread.
constexpr double kMostProductsASecond = 4e9;

void CheckSize(const TokenQuery& q, const QkDescription& d) {
  const size_t maps =
      q.layers.size() * (q.reduction == HeadReduction::kNone ? q.heads.size() : size_t{1});
  const double bytes = static_cast<double>(maps * q.frames.size()) *
                       static_cast<double>(d.tokens_per_frame(*d.Find(q.kind))) * sizeof(float);
  if (bytes > static_cast<double>(kMostValues)) {
    throw Refusal(400,
                  fmt::format("{} of maps, at most {} MiB fit in one answer", HumanBytes(bytes),
                              kMostValues >> 20),
                  "", "Ask for fewer layers, heads or frames at a time.");
  }
}

}  // namespace

bool AsksForRows(const QueryPairs& query) { return QueryValue(query, "definition").has_value(); }

RowQuery ParseRowQuery(const QueryPairs& query, const QkDescription& description) {
  std::vector<std::string_view> known = {"export"};
  for (const AttentionField& field : AttentionFields()) known.emplace_back(field.name);
  CheckNames(query, known);
  AttentionRequest request;
  for (const AttentionField& field : AttentionFields()) {
    request.*field.text = QueryValue(query, field.name);
  }
  RowQuery out = ParseAttentionRequest(request, description);
  CheckSize(out.query, description);
  return out;
}

void CheckCost(double products) {
  const double most =
      kMostProductsASecond * ThreadCount() * static_cast<double>(kAnswerTime.count());
  if (products > most) {
    throw Refusal(400, "this would take far too long to compute in one answer", "",
                  "Ask for fewer layers, heads or patches at a time, or use 'vggt-attn query'.");
  }
}

}  // namespace vggt
