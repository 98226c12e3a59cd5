// SPDX-License-Identifier: Apache-2.0
// What is asked of a store of queries and keys, in numbers. request_words.h reads the same from
// text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "attention/definition.h"
#include "store/qk/qk_schema.h"

namespace vggt {

enum class HeadReduction { kNone, kMean, kMax };

// A row of the attention matrix, or the mean of several: for each layer, head and frame.
struct AttentionRequest {
  BlockKind kind = BlockKind::kGlobal;
  std::vector<size_t> layers;  // places in the kind's QkBlocks::layers; empty: the last one
  std::vector<int> heads;      // from 1; empty: all
  HeadReduction reduction = HeadReduction::kNone;
  int64_t frame = 0;  // from 0
  // Tokens of that frame, counted within it from 0: the special tokens come first, then the
  // patches, grid row by grid row. At least one, and none twice. The answer for several tokens is
  // the mean of the answers for each.
  std::vector<int64_t> tokens;
  Definition definition = Definition::kModel;
  bool before_rope = false;
  bool incoming = false;    // a column of the matrix: which tokens attend to these
  std::vector<int> frames;  // the frames that are answered, from 0; empty: all
  // Whether what is shown or sent includes the values at special tokens. Answers always hold them.
  bool all_tokens = false;
};

// A rectangle of patches with its corners, which may be given in either order.
struct PatchRectangle {
  int64_t row_begin = 0, row_end = 0, col_begin = 0, col_end = 0;
};

// The tokens of a frame that lie in the rectangle, counted within the frame. The rectangle must lie
// inside the grid.
std::vector<int64_t> TokensOf(const PatchRectangle& rectangle, const TokenGrid& grid);

// The place of a special token among a frame's tokens; -1 if there is none of that name.
int64_t FindSpecialToken(const QkBlocks& blocks, std::string_view name);

// "There are camera, register_1.": a hint for who named another special token.
std::string SpecialTokensText(const QkBlocks& blocks);

// "It has global, frame blocks.": a hint for who asked for others.
std::string BlocksText(const QkDescription& description);

// The blocks of a kind. Throws Error naming the kinds that there are if there are none of it.
const QkBlocks& BlocksOf(const QkDescription& description, BlockKind kind);

// `request` with layers, heads and frames where it has none.
AttentionRequest WithDefaults(AttentionRequest request, const QkDescription& description,
                              const QkBlocks& blocks);

// Throws Error naming the number that is out of range, missing or given twice, or saying that the
// store cannot answer (queries and keys that were rotated before they were stored have no "before
// RoPE").
void CheckRequest(const AttentionRequest& request, const QkDescription& description,
                  const QkBlocks& blocks);

}  // namespace vggt
