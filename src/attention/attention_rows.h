// SPDX-License-Identifier: Apache-2.0
// Exact rows and columns of the attention matrix, computed from stored queries and keys.
#pragma once

#include <memory>
#include <vector>

#include "attention/request.h"
#include "core/parallel.h"
#include "store/qk/qk_store.h"

namespace vggt {

struct AttentionAnswer {
  // [layers, heads, frames, tokens]: heads 1 if they were reduced, tokens of a frame: special
  // tokens first, then the patches row by row. Outgoing, over a token's keys: how much the query
  // attends to each; incoming: how much each attends to the query. Frames that are not attended are
  // 0, or NaN for logits and cosines.
  Shape shape;
  FloatBuffer values;
  // [layers, heads]: of Definition::kPatches, outgoing: the model's probability of the special
  // tokens, which are 0 here (the mean over heads, however they were reduced). Empty otherwise.
  std::vector<double> dropped;
};

// Any number of threads may ask at the same time; each is answered on all threads. Probabilities:
// softmax(q kᵀ · scale) over the definition's keys, float32 throughout. What float16 costs stands
// in docs/exactness.md.
class AttentionRows {
 public:
  // `file`, `root`: as for QkStore, with its errors. Normalisers of incoming attention are kept in
  // up to `most_bytes` of memory.
  explicit AttentionRows(const std::filesystem::path& file, const std::filesystem::path& root = {},
                         uint64_t most_bytes = 256 << 20);
  AttentionRows(const AttentionRows&) = delete;
  AttentionRows& operator=(const AttentionRows&) = delete;
  ~AttentionRows();

  const QkStore& store() const;

  // `stop_check` is asked often, at least for every token of the query and every 96 rows of the
  // matrix. Throws Error like CheckRequest and QkStore::Layer; if the store has no such blocks;
  // and if what was stored is infinite or not a number.
  AttentionAnswer Answer(const AttentionRequest& request, const StopCheck& stop_check = {});

  // How much there is to do for an answer: products of one query and one key in one head. What is
  // kept does not count. Throws like Answer.
  double Products(const AttentionRequest& request) const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace vggt
