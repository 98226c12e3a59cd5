// SPDX-License-Identifier: Apache-2.0
#include "attention/softmax_groups.h"

namespace vggt {

FrameRange AttendedFrames(Attends attends, int64_t frame, int64_t frames, bool incoming) {
  switch (attends) {
    case Attends::kFrame:
      return {frame, frame + 1};
    case Attends::kCausal:
      return incoming ? FrameRange{frame, frames} : FrameRange{0, frame + 1};
    case Attends::kAll:
      break;
  }
  return {0, frames};
}

int64_t KeyCount(const FrameRange& frames, const TokenGrid& grid) {
  return frames.count() * grid.tokens_per_frame() + grid.scene_tokens;
}

std::vector<SoftmaxGroup> SoftmaxGroups(Attends attends, Definition definition, int64_t frames) {
  std::vector<SoftmaxGroup> groups;
  if (definition == Definition::kFrame) {
    for (int64_t key = 0; key < frames; ++key) {
      groups.push_back({AttendedFrames(attends, key, frames, true), {key, key + 1}});
    }
  } else if (attends == Attends::kAll) {
    groups.push_back({{0, frames}, {0, frames}});
  } else {
    for (int64_t row = 0; row < frames; ++row) {
      groups.push_back({{row, row + 1}, AttendedFrames(attends, row, frames, false)});
    }
  }
  return groups;
}

std::vector<int64_t> KeyTokens(const FrameRange& keys, Definition definition,
                               const TokenGrid& grid) {
  std::vector<int64_t> tokens;
  const bool patches = definition == Definition::kPatches;
  for (int64_t frame = keys.first; frame < keys.last; ++frame) {
    const int64_t end = grid.first_token(frame + 1);
    for (int64_t t = patches ? grid.first_patch(frame) : grid.first_token(frame); t < end; ++t) {
      tokens.push_back(t);
    }
  }
  if (patches || definition == Definition::kFrame) return tokens;
  for (int64_t t = grid.first_scene_token(); t < grid.tokens(); ++t) tokens.push_back(t);
  return tokens;
}

}  // namespace vggt
