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
#include "core/picture_rule.h"
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
  // The tensor [out] by which b is multiplied, value by value. Empty: there is none.
  std::string bias_mask = {};
  // Rows whose b counts as 0, whatever the file says.
  struct Rows {
    int64_t first = 0, count = 0;
  } no_bias = {};

  double weights() const { return static_cast<double>(in) * static_cast<double>(out); }
};

// LayerNorm over `width` channels. Its tensors are NAME.weight and NAME.bias, both [width].
struct NormSpec {
  std::string name;
  int64_t width = 0;
  float eps = 0;
};

// Rotary position embedding of a block.
//   kNone: there is none.
//   kVggt: VGGT's, RopeType::k2d (core/block_kind.h).
//   kNodiff: the same, but all patches stand at (1, 1), so that only pairs of a special token and a
//     patch are turned against each other.
//   kDinov3: DINOv3's, of patches alone. Channels c and c + head_dim / 2 are a pair. The first
//     half of the pairs turns by y, the second by x: by 2π · coordinate / period, with the periods
//     of the stage. The coordinate of grid row or column i is 2 (i + 1/2) / n - 1, where n is the
//     larger of the grid's sides.
enum class Rotary { kNone, kVggt, kNodiff, kDinov3 };

// "none", "vggt", "nodiff", "dinov3".
const char* RotaryName(Rotary kind);

struct RotarySpec {
  Rotary kind = Rotary::kNone;
  double base = 100;        // of kVggt and kNodiff
  int64_t first_patch = 1;  // of kVggt

  // What a store says of it. It holds queries and keys before RoPE where it can say which that is,
  // else after it.
  RopeSpec stored() const;
  bool operator==(const RotarySpec&) const = default;
};

// A transformer block: x += proj(attention(qkv(norm1(x)))), then x += mlp(norm2(x)).
struct BlockSpec {
  // What comes after queries and keys are known.
  struct Rest {
    LinearSpec proj;
    NormSpec norm2;
    // mlp(y) = fc2(gelu(fc1(y))); GELU is the exact one (erf). If it is gated (SwiGLU), fc1 makes
    // two vectors a and b, each of fc2.in, and mlp(y) = fc2(silu(a) · b).
    LinearSpec fc1, fc2;
    bool gated = false;
  };

  BlockId id;
  Attends attends = Attends::kAll;
  // Whether the special tokens of all frames alone pass through the block; the patches stay as they
  // are, have no rows of attention, and no observer is shown the block.
  bool specials_only = false;
  int64_t heads = 0, head_dim = 0;
  RotarySpec rope;
  NormSpec norm1;
  // Queries, keys and values, [3 · heads · head_dim]. If there is no `rest`, queries and keys
  // alone, [2 · heads · head_dim], which are the first rows of the same tensors.
  LinearSpec qkv;
  std::optional<NormSpec> q_norm, k_norm;  // of every head by itself
  std::optional<Rest> rest;                // absent: the block ends at its queries and keys

  // Where the tokens that pass through the block stand, of a stage's.
  TokenGrid grid(const TokenGrid& stage) const;
  double keys_per_query(const TokenGrid& grid) const;  // on the average over all queries
  double weights() const;                              // values in the linear layers' weights
};

// Special tokens, one after the other, that one tensor holds.
struct TokenSpec {
  std::string tensor;
  // Of the tensor; its last dimension are the channels. It holds one vector for each name, or two
  // if the reference has its own.
  Shape shape;
  std::vector<std::string> names;  // of each token: "register_1", "register_2"
  // Whether the tensor holds two sets of these tokens, that of the scene's reference frame and that
  // of all others. The reference is the first frame, unless a stage chooses it.
  bool reference_apart = false;
};

// How a learned position embedding is made to fit another number of patches: PyTorch's bicubic
// interpolation. With `antialias` the kernel has a = -0.5 and is widened when shrinking. Without it
// a = -0.75, samples lie grid / (n + offset) apart for n patches, and edges are repeated.
struct Resampling {
  bool antialias = true;
  double offset = 0;

  bool operator==(const Resampling&) const = default;
};

// A learned position embedding, the tensor [1, 1 + grid², channels]. Its first vector is added to
// the first special token, of which the stage must have one, the others to the patches, resampled
// to as many as a picture has.
struct PositionSpec {
  std::string tensor;
  int64_t grid = 0;
  Resampling resampling = {};
};

// A tensor that belongs to a model of this family.
struct WantedTensor {
  std::string name;
  Shape shape;
  bool used = true;  // false: it plays no part in inference and may be missing
};

// A part of the model that has special tokens of its own: the picture encoder, or what follows it.
// It takes a token for each patch, puts its special tokens before those of each frame, runs its
// blocks, and hands the patches' tokens on to the next stage. A model that overwrites its special
// tokens between two blocks begins another stage there.
struct StageSpec {
  std::vector<TokenSpec> tokens;          // in their order
  std::optional<PositionSpec> positions;  // added before the first block
  std::string periods;                    // of kDinov3, the tensor [head_dim / 4]; empty: none
  // In the order in which they run. Blocks are numbered as the model counts them, so that numbers
  // of one kind ascend and may have gaps. Those of one kind agree in heads, head_dim, rope and
  // attends.
  std::vector<BlockSpec> blocks;
  // The place in `blocks` before which the scene's reference frame is chosen, of three frames or
  // more, by its first special token (backend/cpu/reference_choice.h). A model that puts its frames
  // in another order there needs no more than this: nothing else depends on their order.
  std::optional<size_t> choose_reference_before;
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
  PictureRule picture_rule = PictureRule::kVggtCrop;

  std::vector<StageSpec> stages;  // in the order in which they run, at least one

  // The blocks whose output somebody reads: prediction heads (model/heads_plan.h) or an observer.
  // No family names any. TruncatePlan keeps them whole, and their parameters have what tells how
  // long their projected values are.
  std::vector<BlockId> taps;

  // Whether the heads of model/heads_plan.h read this model's taps.
  bool vggt_heads = false;
  // Beginnings of names of what else belongs to the model and is not read: "point_decoder.". Not
  // empty: other tensors below the prefix are not those of this family.
  std::vector<std::string> not_read;

  bool tapped(BlockId block) const;

  int64_t dim() const { return projection.out; }  // channels of a token
  // The numbers of the blocks of a kind, ascending, but for those of special tokens alone. Those of
  // global ones are, plus 1, the layers that users count.
  std::vector<int64_t> numbers(BlockKind kind) const;
  int64_t count(BlockKind kind) const { return static_cast<int64_t>(numbers(kind).size()); }
  // How many layers the model itself counts: the highest number of a block of the last stage, plus
  // 1.
  int64_t depth() const;
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
