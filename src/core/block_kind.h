// SPDX-License-Identifier: Apache-2.0
// The words for transformer blocks that models, stores and requests share.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vggt {

// Blocks by what their attention spans: the tokens of all frames, those of one frame, or those of
// one frame inside the picture encoder.
enum class BlockKind { kGlobal, kFrame, kEncoder };
inline constexpr std::array kBlockKinds = {BlockKind::kGlobal, BlockKind::kFrame,
                                           BlockKind::kEncoder};
// "global", "frame", "encoder".
const char* BlockKindName(BlockKind kind);
std::optional<BlockKind> FindBlockKind(std::string_view name);

struct BlockId {
  BlockKind kind = BlockKind::kGlobal;
  int64_t index = 0;  // among the blocks of its kind, from 0

  bool operator==(const BlockId&) const = default;
};

// "global block 3", counted from 1.
std::string BlockText(BlockId block);

// Which keys a token may attend to: those of every frame, those of its own frame, or those of its
// own frame and the frames before it.
enum class Attends { kAll, kFrame, kCausal };
inline constexpr std::array kAttends = {Attends::kAll, Attends::kFrame, Attends::kCausal};
// "all", "frame", "causal".
const char* AttendsName(Attends attends);

// What rotary position embedding does to queries and keys. k2d: they are rotated as VGGT does it
// (ops/rope.h), special tokens at position (0, 0). kApplied, of stores alone: the stored ones were
// rotated already, in a way that is not known.
enum class RopeType { k2d, kNone, kApplied };
inline constexpr std::array kRopeTypes = {RopeType::k2d, RopeType::kNone, RopeType::kApplied};
// "2d", "none", "applied".
const char* RopeTypeName(RopeType type);

// Rotary position embedding of a block. Base and first patch concern k2d alone: angles are
// position · base^(-i / (head_dim / 4)), special tokens stand at (0, 0), and the patch at grid row
// r and column c stands at (r + first_patch, c + first_patch).
struct RopeSpec {
  RopeType type = RopeType::kNone;
  double base = 100;
  int64_t first_patch = 1;

  bool operator==(const RopeSpec&) const = default;
};

}  // namespace vggt
