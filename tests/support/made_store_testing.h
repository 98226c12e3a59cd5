// SPDX-License-Identifier: Apache-2.0
// Stores whose queries and keys are made up, patch by patch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "qk_store_testing.h"
#include "store/common/frame_list.h"
#include "testing.h"

namespace vggt::testing {

inline QkDescription WithFrames(QkDescription d, const FrameList& frames) {
  static_cast<FrameList&>(d) = frames;
  return d;
}

// A store of one global layer with one head of eight channels, without rotary embedding and special
// tokens; q and k are given by functions of (frame, patch, channel).
template <typename Q, typename K>
std::filesystem::path WriteMadeStore(const TestDir& dir, const FrameList& frames, Q q, K k) {
  QkDescription d =
      WithFrames(SmallQkDescription(frames.frames, frames.H_p, frames.W_p, 8), frames);
  d.blocks.resize(1);
  QkBlocks& blocks = d.blocks[0];
  blocks.heads = 1;
  blocks.rope.type = RopeType::kNone;
  blocks.special_tokens.clear();
  blocks.layers.resize(1);
  const int64_t patches = frames.H_p * frames.W_p;
  std::vector<float> queries, keys;
  for (int64_t i = 0; i < frames.frames * patches; ++i) {
    for (int c = 0; c < 8; ++c) {
      queries.push_back(static_cast<float>(q(i / patches, i % patches, c)));
      keys.push_back(static_cast<float>(k(i / patches, i % patches, c)));
    }
  }
  std::filesystem::create_directories(dir / kQkFolderName);
  WriteQkLayer(dir / kQkFolderName / blocks.layers[0].file, d.shape(blocks), queries, keys);
  WriteFileAtomic(dir / kQkFolderName / kQkDescriptionName, QkDescriptionText(d));
  return dir / kQkFolderName / kQkDescriptionName;
}

}  // namespace vggt::testing
