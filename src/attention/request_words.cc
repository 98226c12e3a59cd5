// SPDX-License-Identifier: Apache-2.0
#include "attention/request_words.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace vggt {
namespace {

using Kind = RequestError::Kind;

constexpr std::array kFields = {
    RequestField{"definition", &RequestWords::definition},
    RequestField{"rope", &RequestWords::rope},
    RequestField{"block", &RequestWords::block},
    RequestField{"layers", &RequestWords::layers},
    RequestField{"heads", &RequestWords::heads},
    RequestField{"reduce", &RequestWords::reduce},
    RequestField{"frame", &RequestWords::frame},
    RequestField{"row", &RequestWords::row},
    RequestField{"col", &RequestWords::col},
    RequestField{"rows", &RequestWords::rows},
    RequestField{"cols", &RequestWords::cols},
    RequestField{"cells", &RequestWords::cells},
    RequestField{"token", &RequestWords::token},
    RequestField{"incoming", &RequestWords::incoming},
    RequestField{"frames", &RequestWords::frames},
    RequestField{"tokens", &RequestWords::tokens},
};

std::vector<std::string> SplitAtCommas(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

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

Definition ParseDefinition(const RequestWords& words) {
  std::vector<std::string_view> names;
  for (const DefinitionInfo& info : Definitions()) names.emplace_back(info.name);
  return Definitions()[ParseChoice(words.definition, "definition", names)].definition;
}

const QkBlocks& ParseBlocks(const RequestWords& words, const QkDescription& d) {
  if (!words.block) return d.blocks.front();
  std::vector<std::string_view> names;
  for (const BlockKind kind : kBlockKinds) names.emplace_back(BlockKindName(kind));
  const BlockKind kind = kBlockKinds[ParseChoice(words.block, "block", names)];
  if (const QkBlocks* blocks = d.Find(kind)) return *blocks;
  throw RequestError(Kind::kNotThere, "block",
                     fmt::format("the store has no {} blocks", *words.block), BlocksText(d));
}

std::vector<size_t> ParseStoredLayers(const RequestWords& words, const QkBlocks& blocks) {
  if (!words.layers) return {blocks.layers.size() - 1};
  std::vector<int64_t> numbers;
  for (const QkLayer& layer : blocks.layers) numbers.push_back(layer.index + 1);
  return ParseLayers(*words.layers, numbers, "the store");
}

void ParseHeads(const RequestWords& words, const QkBlocks& blocks, AttentionRequest& out) {
  constexpr std::array<std::string_view, 3> kReductions = {"none", "mean", "max"};
  out.reduction = static_cast<HeadReduction>(ParseChoice(words.reduce, "reduce", kReductions));
  const std::string text = words.heads.value_or("mean");
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

std::vector<int> ParseFrames(const RequestWords& words, int64_t frames) {
  const std::string text = words.frames.value_or("all");
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
std::vector<int64_t> ParseCells(const std::string& text, const TokenGrid& grid) {
  std::vector<int64_t> tokens;
  std::vector<bool> seen(static_cast<size_t>(grid.tokens_per_frame()));
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string cell = text.substr(begin, end - begin);
    const size_t colon = cell.find(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == cell.size()) {
      Malformed("cells", fmt::format("'{}' is no row and column such as 3:4", Printable(cell)));
    }
    const int64_t row = ParseNumber(cell.substr(0, colon), {"row", 0, grid.height - 1}, "cells");
    const int64_t col = ParseNumber(cell.substr(colon + 1), {"column", 0, grid.width - 1}, "cells");
    const int64_t token = grid.patch(0, row, col);
    if (seen[static_cast<size_t>(token)]) {
      Malformed("cells", fmt::format("{}:{} is named twice", row, col));
    }
    seen[static_cast<size_t>(token)] = true;
    tokens.push_back(token);
    begin = end + 1;
  }
  return tokens;
}

int64_t ParseToken(const std::string& name, const QkBlocks& blocks) {
  const int64_t token = FindSpecialToken(blocks, name);
  if (token >= 0) return token;
  throw RequestError(Kind::kNotThere, "token",
                     fmt::format("there is no special token '{}'", Printable(name)),
                     SpecialTokensText(blocks));
}

std::vector<int64_t> ParseTokens(const RequestWords& words, const QkBlocks& blocks,
                                 const TokenGrid& grid) {
  const bool by_cell = words.row || words.col, by_span = words.rows || words.cols;
  const int ways = static_cast<int>(by_cell) + static_cast<int>(by_span) +
                   static_cast<int>(words.cells.has_value()) +
                   static_cast<int>(words.token.has_value());
  if (ways != 1) {
    throw RequestError(Kind::kPlace, "",
                       ways == 0 ? "no query is given" : "several queries are given");
  }
  if (words.cells) return ParseCells(*words.cells, grid);
  if (words.token) return {ParseToken(*words.token, blocks)};
  const NumberRange rows{"row", 0, grid.height - 1}, cols{"column", 0, grid.width - 1};
  const auto both = [](const auto& first, const char* first_name, const auto& second,
                       const char* second_name) {
    if (first && second) return;
    Malformed(first ? second_name : first_name, "is missing",
              "A query is named by its row and its column.");
  };
  if (by_cell) {
    both(words.row, "row", words.col, "col");
    const int64_t row = ParseNumber(*words.row, rows, "row");
    return {grid.patch(0, row, ParseNumber(*words.col, cols, "col"))};
  }
  both(words.rows, "rows", words.cols, "cols");
  const auto [top, bottom] = ParseSpan(*words.rows, rows, "rows");
  const auto [left, right] = ParseSpan(*words.cols, cols, "cols");
  return TokensOf({top, bottom, left, right}, grid);
}

}  // namespace

std::span<const RequestField> RequestFields() { return kFields; }

AttentionRequest ParseRequest(const RequestWords& words, const QkDescription& d) {
  constexpr std::array<std::string_view, 2> kRopes = {"after", "before"}, kFlags = {"0", "1"},
                                            kTokens = {"patches", "all"};
  const QkBlocks& blocks = ParseBlocks(words, d);
  AttentionRequest out;
  out.kind = blocks.kind;
  out.definition = ParseDefinition(words);
  out.before_rope = ParseChoice(words.rope, "rope", kRopes) == 1;
  if (out.before_rope && blocks.rope.type == RopeType::kApplied) {
    Malformed("rope", "this store's queries and keys were recorded after the rotary embedding",
              "What was before it can only be had by recording again.");
  }
  out.incoming = ParseChoice(words.incoming, "incoming", kFlags) == 1;
  out.all_tokens = ParseChoice(words.tokens, "tokens", kTokens) == 1;
  out.layers = ParseStoredLayers(words, blocks);
  ParseHeads(words, blocks, out);
  out.frame = ParseNumber(words.frame.value_or("0"), {"frame", 0, d.frames - 1}, "frame");
  out.tokens = ParseTokens(words, blocks, d.token_grid(blocks));
  out.frames = ParseFrames(words, d.frames);
  return out;
}

int64_t ParseNumber(const std::string& text, const NumberRange& range, const std::string& field) {
  constexpr size_t kMostDigits = 9;
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) {
    throw RequestError(Kind::kMalformed, field,
                       text.empty() ? "a number is missing"
                                    : fmt::format("'{}' is no whole number", Printable(text)));
  }
  const int64_t number = text.size() <= kMostDigits ? std::stoll(text) : kMostNumber + 1;
  if (number < range.first || number > range.last) {
    throw RequestError(Kind::kMalformed, field,
                       fmt::format("there is no {} {}", range.noun, Printable(text)),
                       number < range.first && range.last == kMostNumber
                           ? fmt::format("They count from {}.", range.first)
                           : fmt::format("They run from {} to {}.", range.first, range.last));
  }
  return number;
}

std::vector<int64_t> ParseNumbers(const std::string& text, const NumberRange& range,
                                  const std::string& field) {
  std::vector<int64_t> numbers;
  for (const std::string& part : SplitAtCommas(text)) {
    const int64_t number = ParseNumber(part, range, field);
    if (std::find(numbers.begin(), numbers.end(), number) != numbers.end()) {
      throw RequestError(Kind::kMalformed, field,
                         fmt::format("{} {} is named twice", range.noun, number));
    }
    numbers.push_back(number);
  }
  return numbers;
}

std::vector<size_t> ParseLayers(const std::string& text, const std::vector<int64_t>& numbers,
                                const std::string& owner) {
  if (text == "all") return Range<size_t>(0, numbers.size());
  std::vector<size_t> places;
  for (const int64_t number : ParseNumbers(text, {"layer", 1, kMostNumber}, "layers")) {
    const auto found = std::find(numbers.begin(), numbers.end(), number);
    if (found == numbers.end()) {
      throw RequestError(Kind::kNotThere, "layers",
                         fmt::format("{} has no layer {}", owner, number),
                         fmt::format("Its layers are {}.", fmt::join(numbers, ", ")));
    }
    places.push_back(static_cast<size_t>(found - numbers.begin()));
  }
  return places;
}

}  // namespace vggt
