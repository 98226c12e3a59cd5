// SPDX-License-Identifier: Apache-2.0
// Which keys a row of the attention matrix is normalised over: whole frames, and with all of them
// the tokens that belong to none.
#pragma once

#include <cstdint>
#include <vector>

#include "attention/definition.h"
#include "core/block_kind.h"
#include "core/token_grid.h"

namespace vggt {

// The frames [first, last).
struct FrameRange {
  int64_t first = 0, last = 0;

  int64_t count() const { return last - first; }
  bool operator==(const FrameRange&) const = default;
};

// The frames whose tokens a token of `frame` may attend to; with `incoming` those whose tokens may
// attend to it.
FrameRange AttendedFrames(Attends attends, int64_t frame, int64_t frames, bool incoming);

// The number of keys of a query that attends to these frames: their tokens and the scene tokens,
// which only blocks have whose queries attend to all frames.
int64_t KeyCount(const FrameRange& frames, const TokenGrid& grid);

// All queries of the frames `rows` are normalised over the keys of the frames `keys`. Scene tokens
// are among the queries of all frames.
struct SoftmaxGroup {
  FrameRange rows, keys;
};

// Every query with every key that it attends to, each pair in one group. Blocks that attend to all
// frames have one group, others one for each frame of queries; Definition::kFrame, which normalises
// each frame of keys by itself, has one for each frame of keys.
std::vector<SoftmaxGroup> SoftmaxGroups(Attends attends, Definition definition, int64_t frames);

// The tokens of the frames `keys` that count as keys, ascending: all, or of Definition::kPatches
// the patches alone. Scene tokens follow where the definition has keys of no frame: not in
// Definition::kPatches and kFrame.
std::vector<int64_t> KeyTokens(const FrameRange& keys, Definition definition,
                               const TokenGrid& grid);

}  // namespace vggt
