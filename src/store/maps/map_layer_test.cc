// SPDX-License-Identifier: Apache-2.0
#include "store/maps/map_layer.h"

#include <gmock/gmock.h>

#include "core/error.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

// One frame of 2×3 patches; the array of 4 heads in a.npz.
MapLayer OneFrame(const TestDir& dir, const Shape& shape = {6, 4, 1, 2, 3}) {
  const auto size = static_cast<size_t>(NumElements(shape));
  WriteNpz(dir / "a.npz", "any", "|u1", shape, std::vector<uint8_t>(size, 7), true);
  MapLayer layer;
  layer.array = dir / "a.npz";
  LayerMetadata& m = layer.metadata;
  m.frames = 1;
  m.H_p = m.H_ds = 2;
  m.W_p = m.W_ds = 3;
  m.heads_known = false;
  return layer;
}

TEST(MapLayer, HeadsAreCountedInTheArray) {
  const TestDir dir;
  MapLayer layer = OneFrame(dir);
  CountHeads(layer);
  EXPECT_EQ(layer.error, "");
  EXPECT_TRUE(layer.metadata.heads_known && layer.metadata.per_head_data);
  EXPECT_EQ(layer.metadata.num_heads, 4);
  EXPECT_EQ(ReadMaps(layer).shape, (Shape{6, 4, 1, 2, 3}));
  layer = OneFrame(dir, {6, 1, 2, 3});
  CountHeads(layer);
  EXPECT_TRUE(layer.metadata.heads_known && !layer.metadata.per_head_data);
  EXPECT_EQ(ReadMaps(layer).levels, std::vector<uint8_t>(36, 7));
}

TEST(MapLayer, ArraysThatFitNoMapsAreItsError) {
  const TestDir dir;
  MapLayer layer = OneFrame(dir, {6, 4, 1, 3, 2});
  CountHeads(layer);
  EXPECT_FALSE(layer.metadata.heads_known);
  EXPECT_THAT(layer.error, HasSubstr("its shape [6, 4, 1, 3, 2] fits no maps of 1 frames, 3×2"));
  EXPECT_THAT(ErrorOf([&] { OpenMaps(layer); }), HasSubstr("fits no maps"));
  layer = OneFrame(dir, {6, 0, 1, 2, 3});
  CountHeads(layer);
  EXPECT_THAT(layer.error, HasSubstr("its shape [6, 0, 1, 2, 3] fits no maps"));
}

TEST(MapLayer, FailsAsItDidWhenItWasFound) {
  const TestDir dir;
  MapLayer layer = OneFrame(dir);
  layer.failure = std::make_exception_ptr(MissingFile("is not there", "maps.npz"));
  EXPECT_THROW(OpenMaps(layer), MissingFile);
  layer.failure = std::make_exception_ptr(Error("is damaged", "maps.npz", "Export again."));
  try {
    OpenMaps(layer);
    FAIL() << "was opened";
  } catch (const MissingFile&) {
    FAIL() << "counts as missing";
  } catch (const Error& error) {
    EXPECT_EQ(error.problem(), "is damaged");
    EXPECT_EQ(error.where(), "maps.npz");
    EXPECT_EQ(error.hint(), "Export again.");
  }
}

TEST(MapLayer, OpensNothingOutsideTheRoot) {
  const TestDir dir;
  MapLayer layer = OneFrame(dir, {6, 1, 2, 3});
  CountHeads(layer);
  std::filesystem::create_directory(dir / "root");
  EXPECT_THROW(OpenMaps(layer, dir / "root"), OutsideRoot);
  EXPECT_EQ(OpenMaps(layer, dir.path()).data_size(), 36U);
}

}  // namespace
}  // namespace vggt
