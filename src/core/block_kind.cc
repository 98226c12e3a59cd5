// SPDX-License-Identifier: Apache-2.0
#include "core/block_kind.h"

#include <fmt/format.h>

namespace vggt {

const char* BlockKindName(BlockKind kind) {
  constexpr std::array kNames = {"global", "frame", "encoder"};
  return kNames[static_cast<size_t>(kind)];
}

std::optional<BlockKind> FindBlockKind(std::string_view name) {
  for (const BlockKind kind : kBlockKinds) {
    if (name == BlockKindName(kind)) return kind;
  }
  return std::nullopt;
}

const char* AttendsName(Attends attends) {
  constexpr std::array kNames = {"all", "frame", "causal"};
  return kNames[static_cast<size_t>(attends)];
}

const char* RopeTypeName(RopeType type) {
  constexpr std::array kNames = {"2d", "none", "applied"};
  return kNames[static_cast<size_t>(type)];
}

std::string BlockText(BlockId block) {
  return fmt::format("{} block {}", BlockKindName(block.kind), block.index + 1);
}

}  // namespace vggt
