// SPDX-License-Identifier: Apache-2.0
// A model as data: what it is made of, and in which order it runs. A family of models makes a plan
// from a checkpoint (model/families.h). Whatever loads, runs, counts or describes a model walks the
// plan and knows no family.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/block_kind.h"
#include "core/tensor.h"
#include "core/token_grid.h"

namespace vggt {

// The pictures that a model is given: RGB, [count, height, width, 3], all of one size. The caller
// keeps `rgb` until the pass has ended, and sees to it that height and width are multiples of the
// model's patch size. The backend scales pixels to [0, 1] and normalises them by ImageNet's mean
// and deviation.
struct FrameBatch {
  int64_t count = 0, height = 0, width = 0;
  const uint8_t* rgb = nullptr;
};

// Names of tensors are those in the checkpoint without the plan's prefix.

// A linear layer, y = x · Wᵀ + b. Its tensors are NAME.weight [out, in] and NAME.bias [out].
struct LinearSpec {
  std::string name;
  int64_t in = 0, out = 0;
  // LayerScale: the tensor [out] by which y is multiplied, channel by channel. Empty: there is
  // none.
  std::string scale;

  double weights() const { return static_cast<double>(in) * static_cast<double>(out); }
};

// LayerNorm over `width` channels. Its tensors are NAME.weight and NAME.bias, both [width].
struct NormSpec {
  std::string name;
  int64_t width = 0;
  float eps = 0;
};

// A transformer block: x += proj(attention(qkv(norm1(x)))), then x += fc2(gelu(fc1(norm2(x)))).
// GELU is the exact one (erf).
struct BlockSpec {
  // What comes after queries and keys are known.
  struct Rest {
    LinearSpec proj;
    NormSpec norm2;
    LinearSpec fc1, fc2;
  };

  BlockId id;
  Attends attends = Attends::kAll;
  int64_t heads = 0, head_dim = 0;
  RopeSpec rope;
  NormSpec norm1;
  // Queries, keys and values, [3 · heads · head_dim]. If there is no `rest`, queries and keys
  // alone, [2 · heads · head_dim], which are the first rows of the same tensors.
  LinearSpec qkv;
  std::optional<NormSpec> q_norm, k_norm;  // of every head by itself
  std::optional<Rest> rest;                // absent: the block ends at its queries and keys

  double keys_per_query(const TokenGrid& grid) const;  // on the average over all queries
  double weights() const;                              // values in the linear layers' weights
};

// Special tokens, one after the other, that one tensor holds.
struct TokenSpec {
  std::string tensor;
  // Of the tensor; its last dimension are the channels. It holds one vector for each name, or two
  // if the first frame has its own.
  Shape shape;
  std::vector<std::string> names;  // of each token: "register_1", "register_2"
  // Whether the tensor holds two sets of these tokens, the first frame's and that of all others.
  // The first frame is then the reference of the scene.
  bool first_frame_apart = false;
};

// A learned position embedding, the tensor [1, 1 + grid², channels]. Its first vector is added to
// the first special token, of which the stage must have one, the others to the patches, resampled
// to as many as a picture has.
struct PositionSpec {
  std::string tensor;
  int64_t grid = 0;
};

// A tensor that belongs to a model of this family.
struct WantedTensor {
  std::string name;
  Shape shape;
  bool used = true;  // false: it plays no part in inference and may be missing
};

// A part of the model that has special tokens of its own: the picture encoder, or what follows it.
// It takes a token for each patch, puts its special tokens before those of each frame, runs its
// blocks, and hands the patches' tokens on to the next stage.
struct StageSpec {
  std::vector<TokenSpec> tokens;          // in their order
  std::optional<PositionSpec> positions;  // added before the first block
  // In the order in which they run. Blocks of one kind are numbered without gaps and agree in
  // heads, head_dim, rope and attends. There are as many frame blocks as global ones.
  std::vector<BlockSpec> blocks;
  std::optional<NormSpec> norm;      // of what is handed on, so none in the last stage
  std::vector<WantedTensor> unused;  // tensors that play no part in inference

  // Of each frame.
  int64_t special_tokens() const { return static_cast<int64_t>(token_names().size()); }
  // "camera", "register_1", …
  std::vector<std::string> token_names() const;
};

struct ModelPlan {
  std::string family;  // "VGGT-1B", or "VGGT architecture" for other extents
  std::string text;    // "24 global and 24 frame blocks, 1024 channels, …"
  std::string prefix;  // before every name of a tensor: "aggregator."

  // The patch convolution, as a linear layer of the pixels of a patch, [3 · patch_size²] ordered by
  // channel, row and column. The tensor has the shape [channels, 3, patch_size, patch_size].
  LinearSpec projection;
  int64_t patch_size = 0;  // pixels

  std::vector<StageSpec> stages;  // in the order in which they run, at least one

  // The blocks whose output somebody reads: prediction heads (model/heads_plan.h) or an observer.
  // No family names any. TruncatePlan keeps them whole, and their parameters have what tells how
  // long their projected values are.
  std::vector<BlockId> taps;

  bool tapped(BlockId block) const;

  int64_t dim() const { return projection.out; }  // channels of a token
  // How many blocks of a kind there are. The global ones are the layers that users count.
  int64_t count(BlockKind kind) const;
  // The first block of a kind, and the stage that holds it; nullptr if there is none.
  const BlockSpec* first(BlockKind kind) const;
  const StageSpec* stage_of(BlockKind kind) const;
  // Where a stage's tokens stand. Of the last one, that of the frame and global blocks, if none is
  // named.
  TokenGrid grid(const FrameBatch& frames) const { return grid(frames, stages.back()); }
  TokenGrid grid(const FrameBatch& frames, const StageSpec& stage) const;
};

// The plan up to the last block that is wanted or tapped. What comes after it is left out. It ends
// at its queries and keys, since these are what is wanted of a block, unless it is tapped. Throws
// Error if there is no such block.
ModelPlan TruncatePlan(ModelPlan plan, const std::function<bool(BlockId)>& wanted);
inline ModelPlan TruncatePlan(ModelPlan plan, BlockId last) {
  return TruncatePlan(std::move(plan), [last](BlockId block) { return block == last; });
}

// Every tensor that a whole plan names. The order is that of synthetic_shapes() in the
// specification (tests/reference): special tokens of the last stage, everything of the stages
// before it, the projection, the blocks of the last stage.
std::vector<WantedTensor> PlanTensors(const ModelPlan& plan);

}  // namespace vggt
