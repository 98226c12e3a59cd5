// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/workspace.h"

#include <gtest/gtest.h>

namespace vggt {
namespace {

TEST(Workspace, HiddenLayerIsBoundedForAnySequence) {
  ModelConfig config;
  config.dim = 8;
  config.hidden = 32;
  for (const int64_t tokens : {1, 930, 2048, 2049, 4650, 46500}) {
    const Workspace workspace(config, tokens, Precision::kF32);
    EXPECT_LE(workspace.mlp_rows, 2048);
    EXPECT_GE(workspace.mlp_rows, std::min<int64_t>(tokens, 1024));
    EXPECT_EQ(workspace.qkv.size(), tokens * 24);
    const auto& buffers = std::get<BlockBuffers<float>>(workspace.between);
    EXPECT_EQ(buffers.normed.size(), tokens * 8);
    EXPECT_EQ(buffers.hidden.size(), workspace.mlp_rows * 32);
  }
}

TEST(Workspace, Bf16BuffersTakeHalfTheMemory) {
  ModelConfig config;
  config.dim = 8;
  config.hidden = 32;
  const Workspace workspace(config, 930, Precision::kBf16);
  const auto& buffers = std::get<BlockBuffers<uint16_t>>(workspace.between);
  EXPECT_EQ(buffers.normed.size(), 930 * 8);
  EXPECT_EQ(buffers.hidden.size(), 930 * 32);
}

}  // namespace
}  // namespace vggt
