// SPDX-License-Identifier: Apache-2.0
// Exact rows and columns of the attention matrix, computed from stored queries and keys.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "attention/request.h"
#include "core/parallel.h"
#include "store/qk/qk_store.h"

namespace vggt {

// What was computed for an AttentionRequest. Layers, heads and frames come in the order in which
// they were asked for; what was left out of the request is what WithDefaults (request.h) puts
// there.
struct AttentionAnswer {
  // [layers, heads, frames, tokens]; heads is 1 if they were reduced. A frame's tokens are its
  // special tokens, then its patches, grid row by grid row. Outgoing, a value says how much the
  // query attends to the token; incoming, how much the token attends to the query. Frames that the
  // query does not meet hold 0, or NaN for logits and cosines. Scene tokens, which belong to no
  // frame, are not here: of Definition::kModel, outgoing, their share is what is missing to 1.
  Shape shape;
  FloatBuffer values;
  int64_t special_tokens = 0;  // of each frame
  // [layers, heads]: of Definition::kPatches, outgoing: the model's probability of the special
  // tokens, which are 0 here, and of scene tokens (the mean over heads, however they were reduced).
  // Empty otherwise.
  std::vector<double> dropped;

  // The values of one frame: all tokens, or the patches alone. The arguments are places in the
  // answer, from 0 to the extents in `shape`, which is not checked.
  std::span<const float> Tokens(int64_t layer, int64_t head, int64_t frame) const;
  std::span<const float> Patches(int64_t layer, int64_t head, int64_t frame) const;
};

// Any number of threads may ask at the same time; each is answered on all threads, and none waits
// for another unless both need the same normalisers. Probabilities are softmax(q kᵀ · scale) over
// the definition's keys, float32 throughout. docs/exactness.md tells what float16 costs.
class AttentionRows {
 public:
  // Opens the store of an export. `path`: the export's folder, its attn_maps/ or qk/, or the
  // store's description. Throws MissingFile if there is no store, else like QkStore.
  static AttentionRows Open(const std::filesystem::path& path);

  // `file`, `root`: as for QkStore, with its errors. Normalisers of incoming attention are kept in
  // up to `most_bytes` of memory.
  explicit AttentionRows(const std::filesystem::path& file, const std::filesystem::path& root = {},
                         uint64_t most_bytes = 256 << 20);
  AttentionRows(AttentionRows&& other) noexcept;
  AttentionRows& operator=(AttentionRows&& other) noexcept;
  ~AttentionRows();

  const QkStore& store() const;
  // Where the tokens of one kind of blocks stand. Throws Error if the store has no such blocks.
  TokenGrid grid(BlockKind kind) const;

  // `stop_check` is asked often, at least for every token of the query and every 96 rows of the
  // matrix. Throws Error like CheckRequest and QkStore::Layer; if the store has no such blocks; and
  // if what was stored is infinite or not a number.
  AttentionAnswer Answer(const AttentionRequest& request, const StopCheck& stop_check = {}) const;

  // How much there is to do for an answer: products of one query and one key in one head. What is
  // kept does not count. Throws like Answer.
  double Products(const AttentionRequest& request) const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace vggt
