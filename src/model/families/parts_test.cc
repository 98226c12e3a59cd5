// SPDX-License-Identifier: Apache-2.0
#include "model/families/parts.h"

#include <gmock/gmock.h>

#include "formats/safetensors.h"
#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

Checkpoint OneTensor(const TestDir& dir, const std::string& name, const Shape& shape) {
  SafetensorsWriter writer(dir / "w", {{name, DType::kF16, shape}}, {});
  writer.Append(std::vector<uint8_t>(2 * NumElements(shape)));
  writer.Commit();
  return Checkpoint::Open(dir / "w");
}

TEST(FamilyParts, ExtentsThatCannotBeReadAreNamed) {
  const TestDir dir;
  const Checkpoint checkpoint = OneTensor(dir, "a", {3, 8});
  const ExtentReader read(checkpoint);
  EXPECT_EQ(read.Of("a", 2, 0, "[x, y]"), 3);
  EXPECT_THAT(ErrorOf([&] { read.Of("b", 2, 0, "[x, y]"); }), HasSubstr("tensor b is missing"));
  EXPECT_THAT(ErrorOf([&] { read.Of("a", 3, 0, "[x, y, z]"); }),
              HasSubstr("tensor a has shape [3, 8] where [x, y, z] is expected"));
}

TEST(FamilyParts, HeadsMakeUpTheChannels) {
  const TestDir dir;
  const Checkpoint checkpoint = OneTensor(dir, "positions", {1, 26, 8});
  const ExtentReader read(checkpoint);
  EXPECT_EQ(read.PositionGrid("positions"), 5);
  read.CheckHeads(24, 8);
  EXPECT_THAT(ErrorOf([&] { read.CheckHeads(24, 6); }), HasSubstr("cannot be heads of 6"));
  EXPECT_THAT(ErrorOf([&] { read.CheckHeads(24, 16); }), HasSubstr("cannot be heads of 16"));
  EXPECT_THAT(ErrorOf([&] { read.CheckDinov2Heads(96); }), HasSubstr("heads of 64"));
}

TEST(FamilyParts, PositionsAreOfAPatchAtLeast) {
  const TestDir dir;
  const Checkpoint checkpoint = OneTensor(dir, "positions", {1, 1, 8});
  EXPECT_THAT(ErrorOf([&] { ExtentReader(checkpoint).PositionGrid("positions"); }),
              HasSubstr("tensor positions holds positions of no patch"));
}

TEST(FamilyParts, ABlockMayBeGated) {
  const BlockExtents extents{
      .dim = 32, .head_dim = 16, .hidden = 88, .eps = 1e-6F, .qk_norm = true, .gated = true};
  const BlockSpec block = Dinov2Block(extents, {BlockKind::kGlobal, 3}, "blocks.3.");
  EXPECT_EQ(block.attends, Attends::kAll);
  EXPECT_EQ(block.heads, 2);
  EXPECT_EQ(block.norm1.eps, 1e-6F);
  EXPECT_EQ(block.q_norm->eps, 1e-5F);
  EXPECT_EQ(block.rope.kind, Rotary::kNone);
  EXPECT_TRUE(block.rest->gated);
  EXPECT_EQ(block.rest->fc1.name, "blocks.3.mlp.w12");
  EXPECT_EQ(block.rest->fc1.out, 176);
  EXPECT_EQ(block.rest->fc2.name, "blocks.3.mlp.w3");
  EXPECT_EQ(block.rest->fc2.in, 88);
}

TEST(FamilyParts, RegistersAreNumbered) {
  EXPECT_THAT(RegisterNames(2), ElementsAre("register_1", "register_2"));
}

}  // namespace
}  // namespace vggt
