// SPDX-License-Identifier: Apache-2.0
#include "server/row_query.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "server/message.h"

namespace vggt {
namespace {

constexpr int64_t kMostNumber = 999'999'999;

// The place in `names` of the value of `key`; 0 if it is not given.
template <size_t N>
size_t ParseChoice(const QueryPairs& query, const char* key,
                   const std::array<std::string_view, N>& names) {
  const std::optional<std::string> text = QueryValue(query, key);
  if (!text) return 0;
  const auto found = std::find(names.begin(), names.end(), *text);
  if (found != names.end()) return static_cast<size_t>(found - names.begin());
  std::string known;
  for (const std::string_view name : names) {
    known += fmt::format("{}{}", known.empty() ? "" : ", ", name);
  }
  throw Refusal(400, fmt::format("'{}' is none of {}", Printable(*text), known), key);
}

Definition ParseDefinition(const QueryPairs& query) {
  const std::string text = QueryValue(query, "definition").value_or("");
  const std::optional<Definition> found = FindDefinition(text);
  if (found) return *found;
  std::string known;
  for (const DefinitionInfo& info : Definitions()) {
    known += fmt::format("{}{}", known.empty() ? "" : ", ", info.name);
  }
  throw Refusal(400, fmt::format("'{}' is none of {}", Printable(text), known), "definition");
}

const QkBlocks& ParseBlocks(const QueryPairs& query, const QkDescription& description) {
  const std::optional<std::string> text = QueryValue(query, "block");
  if (!text) return description.blocks.front();
  const std::optional<BlockKind> kind = FindBlockKind(*text);
  if (!kind) {
    throw Refusal(400, fmt::format("'{}' is none of global, frame, encoder", Printable(*text)),
                  "block");
  }
  if (const QkBlocks* blocks = description.Find(*kind)) return *blocks;
  throw Refusal(404, fmt::format("the store has no {} blocks", *text), "",
                "Export them with --capture.");
}

std::string LayersText(const QkBlocks& blocks) {
  std::vector<int64_t> numbers;
  for (const QkLayer& layer : blocks.layers) numbers.push_back(layer.index + 1);
  return fmt::format("Its layers are {}.", fmt::join(numbers, ", "));
}

std::string TokensText(const QkBlocks& blocks) {
  if (blocks.special_tokens.empty()) return "These blocks have none.";
  return Printable(fmt::format("There are {}.", fmt::join(blocks.special_tokens, ", ")), 300);
}

std::vector<size_t> ParseLayers(const std::string& text, const QkBlocks& blocks) {
  if (text == "all") return Range<size_t>(0, blocks.layers.size());
  std::vector<size_t> places;
  for (const int64_t number : ParseList(text, 1, kMostNumber, "layers")) {
    const auto found = std::find_if(blocks.layers.begin(), blocks.layers.end(),
                                    [&](const QkLayer& l) { return l.index + 1 == number; });
    if (found == blocks.layers.end()) {
      throw Refusal(404, fmt::format("the store has no layer {}", number), "", LayersText(blocks));
    }
    places.push_back(static_cast<size_t>(found - blocks.layers.begin()));
  }
  return places;
}

void ParseHeads(const QueryPairs& query, const QkBlocks& blocks, TokenQuery& out) {
  constexpr std::array<std::string_view, 3> kReductions = {"none", "mean", "max"};
  const auto reduction = static_cast<HeadReduction>(ParseChoice(query, "reduce", kReductions));
  const std::string text = QueryValue(query, "heads").value_or("mean");
  const auto heads = static_cast<int>(blocks.heads);
  out.reduction = reduction;
  if (text == "all" || text == "mean") {
    out.heads = Range(1, static_cast<size_t>(heads));
    if (text == "mean" && reduction == HeadReduction::kNone) out.reduction = HeadReduction::kMean;
  } else {
    const std::vector<int64_t> numbers = ParseList(text, 1, heads, "heads");
    out.heads.assign(numbers.begin(), numbers.end());
  }
}

std::vector<int> ParseFrames(const QueryPairs& query, int64_t frames) {
  const std::string text = QueryValue(query, "frames").value_or("all");
  if (text == "all") return Range(0, static_cast<size_t>(frames));
  const std::vector<int64_t> numbers = ParseList(text, 0, frames - 1, "frames");
  return {numbers.begin(), numbers.end()};
}

// "3" or "3-7".
std::pair<int64_t, int64_t> ParseSpan(const std::string& text, int64_t extent, const char* what) {
  const size_t dash = text.find('-');
  const int64_t first = ParseNumber(text.substr(0, dash), extent - 1, what);
  if (dash == std::string::npos) return {first, first};
  return {first, ParseNumber(text.substr(dash + 1), extent - 1, what)};
}

// "R:C,R:C,…"
std::vector<int64_t> ParseCells(const std::string& text, const QkDescription& d,
                                const QkBlocks& blocks) {
  std::vector<int64_t> tokens;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string cell = text.substr(begin, end - begin);
    const size_t colon = std::min(cell.find(':'), cell.size());
    const int64_t row = ParseNumber(cell.substr(0, colon), d.H_p - 1, "cells");
    const int64_t col =
        ParseNumber(cell.substr(std::min(colon + 1, cell.size())), d.W_p - 1, "cells");
    tokens.push_back(blocks.specials() + row * d.W_p + col);
    begin = end + 1;
  }
  return tokens;
}

std::vector<int64_t> ParseTokens(const QueryPairs& query, const QkDescription& d,
                                 const QkBlocks& blocks) {
  const auto value = [&](const char* name) { return QueryValue(query, name); };
  const bool by_cell = value("row") || value("col"), by_span = value("rows") || value("cols");
  const int ways = static_cast<int>(by_cell) + static_cast<int>(by_span) +
                   static_cast<int>(value("cells").has_value()) +
                   static_cast<int>(value("token").has_value());
  if (ways != 1) {
    throw Refusal(400, ways == 0 ? "no query is given" : "several queries are given", "",
                  "Give one of row and col, rows and cols, cells, token.");
  }
  if (value("cells")) return ParseCells(*value("cells"), d, blocks);
  if (value("token")) {
    const int64_t token = FindSpecialToken(blocks, *value("token"));
    if (token >= 0) return {token};
    throw Refusal(404, fmt::format("there is no special token '{}'", Printable(*value("token"))),
                  "token", TokensText(blocks));
  }
  const char *rows = by_span ? "rows" : "row", *cols = by_span ? "cols" : "col";
  for (const char* name : {rows, cols}) {
    if (!value(name)) throw Refusal(400, fmt::format("'{}' is missing", name));
  }
  if (by_cell) {
    const int64_t row = ParseNumber(*value(rows), d.H_p - 1, rows);
    return {blocks.specials() + row * d.W_p + ParseNumber(*value(cols), d.W_p - 1, cols)};
  }
  const auto [top, bottom] = ParseSpan(*value(rows), d.H_p, rows);
  const auto [left, right] = ParseSpan(*value(cols), d.W_p, cols);
  return TokensOf({top, bottom, left, right}, d, blocks);
}

void CheckCost(const RowQuery& row_query, const QkDescription& d, const QkBlocks& blocks) {
  const TokenQuery& q = row_query.query;
  const auto maps = static_cast<double>(q.layers.size() * q.heads.size());
  const auto tokens = static_cast<double>(d.frames * d.tokens_per_frame(blocks));
  const bool normalised = q.incoming && IsProbability(q.definition);
  const bool costly = maps * static_cast<double>(q.tokens.size()) * tokens > kMostProducts ||
                      (normalised && maps * tokens * tokens > kMostIncomingProducts);
  if (costly) {
    throw Refusal(400, "this would take too long to compute in one answer", "",
                  "Ask for fewer layers, heads or patches at a time.");
  }
  const double answered =
      (q.reduction == HeadReduction::kNone ? maps : static_cast<double>(q.layers.size())) *
      static_cast<double>(q.frames.size()) * static_cast<double>(d.tokens_per_frame(blocks)) *
      sizeof(float);
  if (answered > static_cast<double>(kMostValues)) {
    throw Refusal(400, fmt::format("{} of maps, at most {} MiB fit in one answer",
                                   HumanBytes(answered), kMostValues >> 20));
  }
}

}  // namespace

bool AsksForRows(const QueryPairs& query) { return QueryValue(query, "definition").has_value(); }

RowQuery ParseRowQuery(const QueryPairs& query, const QkDescription& description) {
  constexpr std::array<std::string_view, 17> kNames = {
      "export", "definition", "rope", "block", "layers", "heads",    "reduce", "frame", "row",
      "col",    "rows",       "cols", "cells", "token",  "incoming", "frames", "tokens"};
  CheckNames(query, kNames);
  const QkBlocks& blocks = ParseBlocks(query, description);
  RowQuery out;
  TokenQuery& q = out.query;
  q.kind = blocks.kind;
  q.definition = ParseDefinition(query);
  q.before_rope =
      ParseChoice(query, "rope", std::array<std::string_view, 2>{"after", "before"}) == 1;
  q.incoming = ParseChoice(query, "incoming", std::array<std::string_view, 2>{"0", "1"}) == 1;
  out.all_tokens =
      ParseChoice(query, "tokens", std::array<std::string_view, 2>{"patches", "all"}) == 1;
  const std::optional<std::string> layers = QueryValue(query, "layers");
  q.layers = layers ? ParseLayers(*layers, blocks) : std::vector{blocks.layers.size() - 1};
  ParseHeads(query, blocks, q);
  q.frame = ParseNumber(QueryValue(query, "frame").value_or("0"), description.frames - 1, "frame");
  q.tokens = ParseTokens(query, description, blocks);
  q.frames = ParseFrames(query, description.frames);
  try {
    CheckTokenQuery(q, description, blocks);
  } catch (const Error& error) {
    throw Refusal(400, error.problem(), error.where(), error.hint());
  }
  CheckCost(out, description, blocks);
  return out;
}

}  // namespace vggt
