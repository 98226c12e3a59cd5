// SPDX-License-Identifier: Apache-2.0
#include "attention/request.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "core/error.h"

namespace vggt {
namespace {

// Each of `numbers` in [least, most], none twice, at least one.
template <typename T>
void CheckAll(const std::vector<T>& numbers, int64_t least, int64_t most, const char* what) {
  if (numbers.empty()) throw Error(fmt::format("no {} is asked for", what));
  std::set<T> seen;
  for (const T number : numbers) {
    const auto value = static_cast<int64_t>(number);
    if (value < least || value > most) {
      throw Error(fmt::format("there is no {} {}", what, value), "",
                  fmt::format("They run from {} to {}.", least, most));
    }
    if (!seen.insert(number).second) throw Error(fmt::format("{} {} is named twice", what, value));
  }
}

}  // namespace

std::vector<int64_t> TokensOf(const PatchRectangle& rectangle, const TokenGrid& grid) {
  const auto [top, bottom] = std::minmax(rectangle.row_begin, rectangle.row_end);
  const auto [left, right] = std::minmax(rectangle.col_begin, rectangle.col_end);
  std::vector<int64_t> tokens;
  for (int64_t row = top; row <= bottom; ++row) {
    for (int64_t col = left; col <= right; ++col) tokens.push_back(grid.patch(0, row, col));
  }
  return tokens;
}

int64_t FindSpecialToken(const QkBlocks& blocks, std::string_view name) {
  const auto& names = blocks.special_tokens;
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? -1 : found - names.begin();
}

std::string SpecialTokensText(const QkBlocks& blocks) {
  std::string text = blocks.special_tokens.empty()
                         ? "These blocks have none"
                         : fmt::format("There are {}", fmt::join(blocks.special_tokens, ", "));
  if (!blocks.scene_tokens.empty()) {
    text +=
        fmt::format("; {}, of no picture, can only be a key", fmt::join(blocks.scene_tokens, ", "));
  }
  return Printable(text + ".", 300);
}

std::string BlocksText(const QkDescription& description) {
  std::string kinds;
  for (const QkBlocks& blocks : description.blocks) {
    kinds += fmt::format("{}{}", kinds.empty() ? "" : ", ", BlockKindName(blocks.kind));
  }
  return fmt::format("It has {} blocks.", kinds);
}

const QkBlocks& BlocksOf(const QkDescription& description, BlockKind kind) {
  if (const QkBlocks* blocks = description.Find(kind)) return *blocks;
  throw Error(fmt::format("the store has no {} blocks", BlockKindName(kind)), "",
              BlocksText(description));
}

AttentionRequest WithDefaults(AttentionRequest request, const QkDescription& description,
                              const QkBlocks& blocks) {
  if (request.layers.empty()) request.layers = {blocks.layers.size() - 1};
  if (request.heads.empty()) {
    request.heads.resize(static_cast<size_t>(blocks.heads));
    std::iota(request.heads.begin(), request.heads.end(), 1);
  }
  if (request.frames.empty()) {
    request.frames.resize(static_cast<size_t>(description.frames));
    std::iota(request.frames.begin(), request.frames.end(), 0);
  }
  return request;
}

void CheckRequest(const AttentionRequest& request, const QkDescription& description,
                  const QkBlocks& blocks) {
  CheckAll(request.layers, 0, static_cast<int64_t>(blocks.layers.size()) - 1, "layer at place");
  CheckAll(request.heads, 1, blocks.heads, "head");
  CheckAll(request.frames, 0, description.frames - 1, "frame");
  CheckAll(request.tokens, 0, description.token_grid(blocks).tokens_per_frame() - 1, "token");
  CheckAll(std::vector{request.frame}, 0, description.frames - 1, "frame");
  if (request.before_rope && blocks.rope.type == RopeType::kApplied) {
    throw Error("this store's queries and keys were recorded after the rotary embedding", "",
                "What was before it can only be had by recording again.");
  }
}

}  // namespace vggt
