// SPDX-License-Identifier: Apache-2.0
// All rows of one head's attention matrix, or chosen ones, a block of rows at a time: for numbers
// that are taken of whole matrices. No matrix of all queries by all keys is ever in memory.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "attention/request.h"
#include "attention/softmax_groups.h"
#include "core/parallel.h"
#include "store/qk/qk_store.h"

namespace vggt {

// Rows that are computed together, if there are as many.
inline constexpr int64_t kLeastTogether = 12;

// One head of one layer.
struct HeadRef {
  BlockKind kind = BlockKind::kGlobal;
  size_t layer = 0;  // a place in the kind's QkBlocks::layers
  int head = 1;      // from 1
};

struct TileOptions {
  Definition definition = Definition::kModel;
  bool before_rope = false;
  // The queries wanted, as places in the sequence of all tokens, each once and ascending; empty:
  // all.
  std::vector<int64_t> rows;
  // With Definition::kLogits after RoPE: those before it, too, as RowBlock::before_rope.
  bool with_before_rope = false;
};

// Rows that were computed together. What it points to is valid inside the callback alone.
struct RowBlock {
  size_t index = 0;  // among the blocks of these tiles: the same whatever the number of threads
  int slot = 0;      // the thread that computed it, in [0, ThreadCount()): one block at a time
  // The queries, at most kMostBlockRows (ops/row_block.h), and the keys of all of them, ascending:
  // places in the sequence of all tokens.
  std::span<const int64_t> rows, keys;
  // The frames that the keys lie in; each has as many keys, one after another. Scene tokens follow
  // if they are keys (KeyTokens).
  FrameRange key_frames;
  // Row i's value at key j stands at values[i · stride + j]: a probability, a logit (scale · q·k)
  // or a cosine, as the definition says.
  const float* values = nullptr;
  int64_t stride = 0;
  // The same logits before RoPE, laid out like `values`; null unless TileOptions asks for them.
  const float* before_rope = nullptr;
  // [rows]: ln Σ_j exp(logit_j) over `keys`, of definitions that are a softmax: a logit is
  // ln(probability) + log_normalizer. Null for logits and cosines.
  const float* log_normalizers = nullptr;

  std::span<const float> row(size_t i) const {
    return {values + static_cast<int64_t>(i) * stride, keys.size()};
  }
};

// Several threads may go over the same tiles at once. Every query that is wanted meets every key
// that it attends to in exactly one block; Definition:: kFrame, which normalises each frame of keys
// by itself, gives a row one block for each such frame.
class HeadTiles {
 public:
  // Plans the blocks; nothing is read. `store` outlives this. Throws Error like CheckRequest, if
  // the rows are out of range or not ascending, and if options do not fit together.
  HeadTiles(const QkStore& store, const HeadRef& head, TileOptions options);

  // How many blocks there are. It depends on the store and the options alone.
  size_t blocks() const { return blocks_.size(); }

  // Calls `add` for each block once, from all threads at the same time, in any order. The values of
  // a block do not depend on the number of threads. Nor does a result that is kept for each block,
  // at its `index`, and put together in that order; sums that are kept for each `slot` differ from
  // one run to the next in their last bits. `stop_check` is asked before each block; what it or
  // `add` throws ends the work. Throws Error like QkStore::Layer, and if values are infinite or not
  // numbers.
  //
  // Products of float32 sums; probabilities to a relative 1e-5 of those of the stored numbers.
  // Memory: two copies of the head's keys, and for each thread half a megabyte or kLeastTogether
  // rows, whichever is more; of logits before and after RoPE both.
  void ForEachRowBlock(const std::function<void(const RowBlock&)>& add,
                       const StopCheck& stop_check = {}) const;

 private:
  // Rows [begin, end) of options_.rows with the keys of a group.
  struct Planned {
    size_t group, begin, end;
  };
  class Computation;

  const QkStore& store_;
  const HeadRef head_;
  const QkBlocks& stored_;
  const TokenGrid grid_;
  TileOptions options_;
  std::vector<SoftmaxGroup> groups_;
  std::vector<Planned> blocks_;  // group after group
};

}  // namespace vggt
