// SPDX-License-Identifier: Apache-2.0
// The JSON of a store of queries and keys, qk/attention.json (docs/formats.md).
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/block_kind.h"
#include "core/tensor.h"
#include "core/token_grid.h"
#include "store/common/export_folder.h"
#include "store/common/frame_list.h"
#include "store/common/provenance.h"

namespace vggt {

// What is written. Version 1, which has neither extras nor order, is read, too.
inline constexpr int kQkFormatVersion = 2;

// Bounds on what is read, far beyond any model.
inline constexpr int64_t kMostHeadDim = 1024;
inline constexpr int64_t kMostSpecialTokens = 256;  // of a frame, and of no frame
inline constexpr int64_t kMostTokens = 1 << 24;     // of all frames
inline constexpr int64_t kMostChannels = 1 << 16;

using QkRope = RopeSpec;

// What a layer's file may hold beside q and k. v is a token's value vector of one head, W_O the
// columns of the block's output projection that take this head's channels (`attn.proj.weight`, as
// in the checkpoint: without bias, without LayerScale), and x what the block hands on, its residual
// stream after attention and MLP.
enum class QkExtra {
  kXNorm,     // "x_norm", F32 [tokens]: ‖x‖
  kXUnitSum,  // "x_unit_sum", F32 [frames, channels]: Σ x / ‖x‖ over a frame's patches; special
              // tokens are left out, and an x that is 0 adds nothing
  kVNorm,    // "v_norm", F16 [heads, tokens]: ‖v‖
  kWovNorm,  // "wov_norm", F16 [heads, tokens]: ‖W_O v‖
};
// In the order in which files hold them: the F32 ones, which so are aligned, come first.
inline constexpr std::array kQkExtras = {QkExtra::kXNorm, QkExtra::kXUnitSum, QkExtra::kVNorm,
                                         QkExtra::kWovNorm};
// "x_norm", "x_unit_sum", "v_norm", "wov_norm".
const char* QkExtraName(QkExtra extra);
DType QkExtraType(QkExtra extra);

// The values of a layer's extras, as float32; empty where there are none.
struct QkExtraValues {
  std::vector<float> x_norm;            // [tokens]
  std::vector<float> x_unit_sum;        // [frames, channels]
  std::vector<float> v_norm, wov_norm;  // [heads, tokens]

  std::vector<float>& of(QkExtra extra);
  const std::vector<float>& of(QkExtra extra) const;
};

struct QkLayer {
  int64_t index = 0;                 // from 0
  std::string name;                  // "layer_01"
  std::string file;                  // beside attention.json: "global_01.safetensors"
  std::vector<QkExtra> extras = {};  // that the file holds, in the order of kQkExtras

  bool has(QkExtra extra) const;
};

// Where the model itself has a frame's special tokens, before or after its patches. Stores have
// them first whatever the model does.
enum class SpecialTokensPlace { kFirst, kLast };
inline constexpr std::array kSpecialTokensPlaces = {SpecialTokensPlace::kFirst,
                                                    SpecialTokensPlace::kLast};
// "first", "last".
const char* SpecialTokensPlaceName(SpecialTokensPlace place);

// All blocks of one kind. A frame's tokens are the special tokens, then the patches row by row.
struct QkBlocks {
  BlockKind kind = BlockKind::kGlobal;
  int64_t heads = 0, head_dim = 0;
  double scale = 0;  // of the logits: 1 / √head_dim
  std::vector<std::string> special_tokens;
  Attends attends = Attends::kAll;
  QkRope rope;
  std::vector<QkLayer> layers;  // ascending, at least one
  int64_t channels = 0;         // of x; 0 where no layer has its unit sums
  SpecialTokensPlace special_tokens_place = SpecialTokensPlace::kFirst;
  // Of no frame, after the tokens of all frames: keys of every query. Only blocks that attend to
  // all frames have any.
  std::vector<std::string> scene_tokens = {};

  int64_t specials() const { return static_cast<int64_t>(special_tokens.size()); }
};

// What attention.json says. Its paths are relative to qk/.
struct QkDescription : FrameList {
  std::string image_set_name;
  Provenance provenance;  // what others wrote may say less
  std::vector<QkBlocks>
      blocks;  // in the order of kBlockKinds; each kind at most once; at least one
  // Of each frame its place, from 0, in the order that the pictures had before the query frame was
  // put first: a permutation of 0 … frames - 1. Empty if the store does not say (version 1).
  std::vector<int64_t> order;
  // The frame that the model chose as the scene's reference; none if it does not choose, or if the
  // store does not say.
  std::optional<int64_t> reference_frame = {};

  // The blocks of a kind, or nullptr if there are none.
  const QkBlocks* Find(BlockKind kind) const;
  // Where the tokens of these blocks stand.
  TokenGrid token_grid(const QkBlocks& of) const;
  int64_t tokens_per_frame(const QkBlocks& of) const { return token_grid(of).tokens_per_frame(); }
  // The shape of the stored tensors: [heads, all tokens, head_dim].
  Shape shape(const QkBlocks& of) const { return {of.heads, token_grid(of).tokens(), of.head_dim}; }
  Shape shape(const QkBlocks& of, QkExtra extra) const;
};

// "global_01.safetensors"; `index` counts from 0.
std::string QkFileName(BlockKind kind, int64_t index);

// The text of the file.
std::string QkDescriptionText(const QkDescription& description);
// Throws Error naming `source` and the key if something is missing, of another type or out of
// range, of another version, or if the numbers contradict each other. A layer's file is a bare
// name.
QkDescription ParseQkDescription(std::string_view text, const std::string& source);

}  // namespace vggt
