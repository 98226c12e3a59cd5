// SPDX-License-Identifier: Apache-2.0
// The JSON of a store of queries and keys, qk/attention.json (docs/formats.md).
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/schema.h"
#include "core/tensor.h"

namespace vggt {

inline constexpr int kQkFormatVersion = 1;
inline constexpr const char* kQkFolderName = "qk";
inline constexpr const char* kQkDescriptionName = "attention.json";

// Bounds on what is read, far beyond any model.
inline constexpr int64_t kMostHeadDim = 1024;
inline constexpr int64_t kMostSpecialTokens = 256;
inline constexpr int64_t kMostTokens = 1 << 24;  // of all frames

// Transformer blocks by what their attention is for: all frames, one frame, or the picture encoder.
enum class BlockKind { kGlobal, kFrame, kEncoder };
inline constexpr std::array kBlockKinds = {BlockKind::kGlobal, BlockKind::kFrame,
                                           BlockKind::kEncoder};
// "global", "frame", "encoder".
const char* BlockKindName(BlockKind kind);
std::optional<BlockKind> FindBlockKind(std::string_view name);

// Which keys a query may look at: every token, those of its own frame, or those of its own frame
// and the frames before it.
enum class Attends { kAll, kFrame, kCausal };
const char* AttendsName(Attends attends);  // "all", "frame", "causal"

// k2d: the stored queries and keys are to be rotated as VGGT does it (kernels/rope.h), special
// tokens at position (0, 0). kApplied: they were rotated, in a way that is not known.
enum class RopeType { k2d, kNone, kApplied };
const char* RopeTypeName(RopeType type);  // "2d", "none", "applied"

struct QkRope {
  RopeType type = RopeType::kNone;
  // Only of k2d: angles are position · base^(-i / (head_dim / 4)); the patch at row r and column c
  // stands at (r + first_patch, c + first_patch).
  double base = 100;
  int64_t first_patch = 1;
};

struct QkLayer {
  int64_t index = 0;  // from 0
  std::string name;   // "layer_01"
  std::string file;   // beside attention.json: "global_01.safetensors"
};

// All blocks of one kind. A frame's tokens are the special tokens, then the patches row by row.
struct QkBlocks {
  BlockKind kind = BlockKind::kGlobal;
  int64_t heads = 0, head_dim = 0;
  double scale = 0;  // of the logits: 1 / √head_dim
  std::vector<std::string> special_tokens;
  Attends attends = Attends::kAll;
  QkRope rope;
  std::vector<QkLayer> layers;  // ascending, at least one

  int64_t specials() const { return static_cast<int64_t>(special_tokens.size()); }
};

struct QkDescription {
  std::string image_set_name;
  int64_t frames = 0, H_p = 0, W_p = 0;    // H_p · W_p patches a frame
  std::vector<std::string> image_paths;    // relative to qk/
  std::vector<ImageSize> image_sizes;      // may be empty in what others wrote
  std::vector<FrameTransform> transforms;  // likewise
  std::vector<PictureSource> sources;      // likewise
  // What others wrote may say less: then texts are empty and numbers 0. It has no definition.
  Provenance provenance;
  std::vector<QkBlocks>
      blocks;  // in the order of kBlockKinds, each kind at most once, at least one

  // The blocks of a kind; nullptr if there are none.
  const QkBlocks* Find(BlockKind kind) const;
  int64_t tokens_per_frame(const QkBlocks& of) const { return of.specials() + H_p * W_p; }
  // Of the stored tensors: [heads, tokens of all frames, head_dim].
  Shape shape(const QkBlocks& of) const {
    return {of.heads, frames * tokens_per_frame(of), of.head_dim};
  }
};

// "global_01.safetensors"; `index` counts from 0.
std::string QkFileName(BlockKind kind, int64_t index);

OrderedJson ToJson(const QkDescription& description);
// Throws Error naming `source` and the key if something is missing, of another type or out of
// range, of another version, or if the numbers contradict each other. A layer's file is a bare
// name.
QkDescription ParseQkDescription(const Json& json, const std::string& source);

}  // namespace vggt
