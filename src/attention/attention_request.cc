// SPDX-License-Identifier: Apache-2.0
#include "attention/attention_request.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace vggt {
namespace {

using Kind = RequestError::Kind;

constexpr std::array kFields = {
    AttentionField{"definition", &AttentionRequest::definition},
    AttentionField{"rope", &AttentionRequest::rope},
    AttentionField{"block", &AttentionRequest::block},
    AttentionField{"layers", &AttentionRequest::layers},
    AttentionField{"heads", &AttentionRequest::heads},
    AttentionField{"reduce", &AttentionRequest::reduce},
    AttentionField{"frame", &AttentionRequest::frame},
    AttentionField{"row", &AttentionRequest::row},
    AttentionField{"col", &AttentionRequest::col},
    AttentionField{"rows", &AttentionRequest::rows},
    AttentionField{"cols", &AttentionRequest::cols},
    AttentionField{"cells", &AttentionRequest::cells},
    AttentionField{"token", &AttentionRequest::token},
    AttentionField{"incoming", &AttentionRequest::incoming},
    AttentionField{"frames", &AttentionRequest::frames},
    AttentionField{"tokens", &AttentionRequest::tokens},
};

[[noreturn]] void Malformed(const char* field, const std::string& what,
                            const std::string& hint = "") {
  throw RequestError(Kind::kMalformed, field, what, hint);
}

// The place of `text` among the names; 0 if it is not given.
size_t ParseChoice(const std::optional<std::string>& text, const char* field,
                   std::span<const std::string_view> names) {
  if (!text) return 0;
  const auto found = std::find(names.begin(), names.end(), *text);
  if (found != names.end()) return static_cast<size_t>(found - names.begin());
  Malformed(field, fmt::format("'{}' is none of {}", Printable(*text), fmt::join(names, ", ")));
}

Definition ParseDefinition(const AttentionRequest& request) {
  std::vector<std::string_view> names;
  for (const DefinitionInfo& info : Definitions()) names.emplace_back(info.name);
  return Definitions()[ParseChoice(request.definition, "definition", names)].definition;
}

const QkBlocks& ParseBlocks(const AttentionRequest& request, const QkDescription& d) {
  if (!request.block) return d.blocks.front();
  std::vector<std::string_view> names;
  for (const BlockKind kind : kBlockKinds) names.emplace_back(BlockKindName(kind));
  const BlockKind kind = kBlockKinds[ParseChoice(request.block, "block", names)];
  if (const QkBlocks* blocks = d.Find(kind)) return *blocks;
  throw RequestError(Kind::kNotThere, "block",
                     fmt::format("the store has no {} blocks", *request.block), BlocksText(d));
}

std::vector<size_t> ParseStoredLayers(const AttentionRequest& request, const QkBlocks& blocks) {
  if (!request.layers) return {blocks.layers.size() - 1};
  std::vector<int64_t> numbers;
  for (const QkLayer& layer : blocks.layers) numbers.push_back(layer.index + 1);
  return ParseLayers(*request.layers, numbers, "the store");
}

void ParseHeads(const AttentionRequest& request, const QkBlocks& blocks, TokenQuery& out) {
  constexpr std::array<std::string_view, 3> kReductions = {"none", "mean", "max"};
  out.reduction = static_cast<HeadReduction>(ParseChoice(request.reduce, "reduce", kReductions));
  const std::string text = request.heads.value_or("mean");
  if (text == "all" || text == "mean") {
    out.heads = Range(1, static_cast<size_t>(blocks.heads));
    if (text == "mean" && out.reduction == HeadReduction::kNone) {
      out.reduction = HeadReduction::kMean;
    }
  } else {
    const std::vector<int64_t> numbers = ParseNumbers(text, {"head", 1, blocks.heads}, "heads");
    out.heads.assign(numbers.begin(), numbers.end());
  }
}

std::vector<int> ParseFrames(const AttentionRequest& request, int64_t frames) {
  const std::string text = request.frames.value_or("all");
  if (text == "all") return Range(0, static_cast<size_t>(frames));
  const std::vector<int64_t> numbers = ParseNumbers(text, {"frame", 0, frames - 1}, "frames");
  return {numbers.begin(), numbers.end()};
}

// "3" or "3-7", in either order.
std::pair<int64_t, int64_t> ParseSpan(const std::string& text, const NumberRange& range,
                                      const char* field) {
  const size_t dash = text.find('-');
  if (dash == 0 || dash + 1 == text.size()) {
    Malformed(field,
              fmt::format("'{}' is neither a number nor a range such as 3-7", Printable(text)));
  }
  const int64_t first = ParseNumber(text.substr(0, dash), range, field);
  if (dash == std::string::npos) return {first, first};
  return {first, ParseNumber(text.substr(dash + 1), range, field)};
}

// "R:C,R:C,…"
std::vector<int64_t> ParseCells(const std::string& text, const QkDescription& d,
                                const QkBlocks& blocks) {
  std::vector<int64_t> tokens;
  std::vector<bool> seen(static_cast<size_t>(d.H_p * d.W_p));
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string cell = text.substr(begin, end - begin);
    const size_t colon = cell.find(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == cell.size()) {
      Malformed("cells", fmt::format("'{}' is no row and column such as 3:4", Printable(cell)));
    }
    const int64_t row = ParseNumber(cell.substr(0, colon), {"row", 0, d.H_p - 1}, "cells");
    const int64_t col = ParseNumber(cell.substr(colon + 1), {"column", 0, d.W_p - 1}, "cells");
    const int64_t place = row * d.W_p + col;
    if (seen[static_cast<size_t>(place)]) {
      Malformed("cells", fmt::format("{}:{} is named twice", row, col));
    }
    seen[static_cast<size_t>(place)] = true;
    tokens.push_back(blocks.specials() + place);
    begin = end + 1;
  }
  return tokens;
}

int64_t ParseToken(const std::string& name, const QkBlocks& blocks) {
  const int64_t token = FindSpecialToken(blocks, name);
  if (token >= 0) return token;
  throw RequestError(
      Kind::kNotThere, "token", fmt::format("there is no special token '{}'", Printable(name)),
      blocks.special_tokens.empty()
          ? "These blocks have none."
          : Printable(fmt::format("There are {}.", fmt::join(blocks.special_tokens, ", ")), 300));
}

std::vector<int64_t> ParseTokens(const AttentionRequest& request, const QkDescription& d,
                                 const QkBlocks& blocks) {
  const bool by_cell = request.row || request.col, by_span = request.rows || request.cols;
  const int ways = static_cast<int>(by_cell) + static_cast<int>(by_span) +
                   static_cast<int>(request.cells.has_value()) +
                   static_cast<int>(request.token.has_value());
  if (ways != 1) {
    throw RequestError(Kind::kPlace, "",
                       ways == 0 ? "no query is given" : "several queries are given");
  }
  if (request.cells) return ParseCells(*request.cells, d, blocks);
  if (request.token) return {ParseToken(*request.token, blocks)};
  const NumberRange rows{"row", 0, d.H_p - 1}, cols{"column", 0, d.W_p - 1};
  const auto both = [](const auto& first, const char* first_name, const auto& second,
                       const char* second_name) {
    if (first && second) return;
    Malformed(first ? second_name : first_name, "is missing",
              "A query is named by its row and its column.");
  };
  if (by_cell) {
    both(request.row, "row", request.col, "col");
    const int64_t row = ParseNumber(*request.row, rows, "row");
    return {blocks.specials() + row * d.W_p + ParseNumber(*request.col, cols, "col")};
  }
  both(request.rows, "rows", request.cols, "cols");
  const auto [top, bottom] = ParseSpan(*request.rows, rows, "rows");
  const auto [left, right] = ParseSpan(*request.cols, cols, "cols");
  return TokensOf({top, bottom, left, right}, d, blocks);
}

}  // namespace

std::span<const AttentionField> AttentionFields() { return kFields; }

RowQuery ParseAttentionRequest(const AttentionRequest& request, const QkDescription& d) {
  constexpr std::array<std::string_view, 2> kRopes = {"after", "before"}, kFlags = {"0", "1"},
                                            kTokens = {"patches", "all"};
  const QkBlocks& blocks = ParseBlocks(request, d);
  RowQuery out;
  TokenQuery& q = out.query;
  q.kind = blocks.kind;
  q.definition = ParseDefinition(request);
  q.before_rope = ParseChoice(request.rope, "rope", kRopes) == 1;
  if (q.before_rope && blocks.rope.type == RopeType::kApplied) {
    Malformed("rope", "this store's queries and keys were recorded after the rotary embedding",
              "What was before it can only be had by recording again.");
  }
  q.incoming = ParseChoice(request.incoming, "incoming", kFlags) == 1;
  out.all_tokens = ParseChoice(request.tokens, "tokens", kTokens) == 1;
  q.layers = ParseStoredLayers(request, blocks);
  ParseHeads(request, blocks, q);
  q.frame = ParseNumber(request.frame.value_or("0"), {"frame", 0, d.frames - 1}, "frame");
  q.tokens = ParseTokens(request, d, blocks);
  q.frames = ParseFrames(request, d.frames);
  return out;
}

}  // namespace vggt
