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

inline constexpr int kQkFormatVersion = 1;

// Bounds on what is read, far beyond any model.
inline constexpr int64_t kMostHeadDim = 1024;
inline constexpr int64_t kMostSpecialTokens = 256;
inline constexpr int64_t kMostTokens = 1 << 24;  // of all frames

using QkRope = RopeSpec;

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

// What attention.json says. Its paths are relative to qk/.
struct QkDescription : FrameList {
  std::string image_set_name;
  Provenance provenance;  // what others wrote may say less
  std::vector<QkBlocks>
      blocks;  // in the order of kBlockKinds; each kind at most once; at least one

  // The blocks of a kind, or nullptr if there are none.
  const QkBlocks* Find(BlockKind kind) const;
  // Where the tokens of these blocks stand.
  TokenGrid token_grid(const QkBlocks& of) const { return FrameList::token_grid(of.specials()); }
  int64_t tokens_per_frame(const QkBlocks& of) const { return token_grid(of).tokens_per_frame(); }
  // The shape of the stored tensors: [heads, tokens of all frames, head_dim].
  Shape shape(const QkBlocks& of) const { return {of.heads, token_grid(of).tokens(), of.head_dim}; }
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
