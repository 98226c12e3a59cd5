// SPDX-License-Identifier: Apache-2.0
// What is asked of a store of queries and keys.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "attention/definition.h"
#include "store/qk/qk_schema.h"

namespace vggt {

enum class HeadReduction { kNone, kMean, kMax };

struct TokenQuery {
  BlockKind kind = BlockKind::kGlobal;
  std::vector<size_t> layers;  // places in the kind's QkBlocks::layers
  std::vector<int> heads;      // from 1
  HeadReduction reduction = HeadReduction::kNone;
  int64_t frame = 0;
  // Of that frame: the special tokens first, then the patches row by row. Several: the mean over
  // what each gives alone.
  std::vector<int64_t> tokens;
  Definition definition = Definition::kModel;
  bool before_rope = false;
  bool incoming = false;    // who looks at the tokens, instead of where they look
  std::vector<int> frames;  // that are answered, from 0
};

// A rectangle of patches, corners included, in either order.
struct PatchRectangle {
  int64_t row_begin = 0, row_end = 0, col_begin = 0, col_end = 0;
};

// Their places among a frame's tokens. The rectangle lies inside the grid.
std::vector<int64_t> TokensOf(const PatchRectangle& rectangle, const QkDescription& description,
                              const QkBlocks& blocks);

// The place of a special token; -1 if there is none of that name.
int64_t FindSpecialToken(const QkBlocks& blocks, std::string_view name);

// The frames [first, last) whose tokens a token of `frame` may attend to; with `incoming` those
// whose tokens may attend to it.
struct FrameRange {
  int64_t first = 0, last = 0;
};
FrameRange AttendedFrames(Attends attends, int64_t frame, int64_t frames, bool incoming);

// "It has global, frame blocks.": a hint for who asked for others.
std::string BlocksText(const QkDescription& description);

// Throws Error naming what is out of range, missing or given twice, or cannot be had of this store
// (what is not there before a rotary embedding that was applied).
void CheckTokenQuery(const TokenQuery& query, const QkDescription& description,
                     const QkBlocks& blocks);

}  // namespace vggt
