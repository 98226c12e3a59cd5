// SPDX-License-Identifier: Apache-2.0
#include "cli/bundled_model.h"

#include <gtest/gtest.h>

#include "model/config.h"
#include "testing.h"

namespace vggt {
namespace {

TEST(BundledModel, IsTheFileAndIsWhole) {
  const std::string file = ReadFile(testing::SourceDir() / "models" / "vggt-mini.safetensors");
  EXPECT_TRUE(std::equal(BundledModel().begin(), BundledModel().end(),
                         testing::AsBytes(file).begin(), testing::AsBytes(file).end()));
  const Checkpoint checkpoint = Checkpoint::FromMemory(BundledModel(), kBundledModelName);
  EXPECT_EQ(ModelText(ReadModelConfig(checkpoint)),
            "6 global and 6 frame blocks, 128 channels, 4 heads of 32, DINOv2 encoder of 2 blocks");
}

}  // namespace
}  // namespace vggt
