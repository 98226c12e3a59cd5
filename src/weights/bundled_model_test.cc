// SPDX-License-Identifier: Apache-2.0
#include "weights/bundled_model.h"

#include <gtest/gtest.h>

#include "testing.h"
#include "weights/checkpoint.h"

namespace vggt {
namespace {

TEST(BundledModel, IsTheFileAndIsWhole) {
  const std::string file = ReadFile(testing::SourceDir() / "models" / "vggt-mini.safetensors");
  EXPECT_TRUE(std::equal(BundledModel().begin(), BundledModel().end(),
                         testing::AsBytes(file).begin(), testing::AsBytes(file).end()));
  const Checkpoint checkpoint = Checkpoint::FromMemory(BundledModel(), kBundledModelName);
  EXPECT_NE(checkpoint.Find("aggregator.global_blocks.5.attn.qkv.weight"), nullptr);
}

}  // namespace
}  // namespace vggt
