// SPDX-License-Identifier: Apache-2.0
#include "store/maps/map_writer.h"

#include <gtest/gtest.h>

#include "formats/json.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::TestDir;

LayerMetadata OneFrame() {
  LayerMetadata common;
  common.frames = 1;
  common.H_p = common.H_ds = 1;
  common.W_p = common.W_ds = 2;
  common.image_paths = {"../images/frame_00.jpg"};
  return common;
}

// store/export/export_reader_test.cc reads whole exports again.
TEST(MapWriter, ListsItsLayersInOrder) {
  const TestDir dir;
  MapWriter writer(dir.path(), "set", OneFrame(), true);
  const LayerMaps maps{{2, 1, 1, 1, 2}, false, {1, 2, 3, 4}, 0.5, {}};
  writer.WriteLayer(2, maps);
  writer.WriteLayer(1, maps);
  writer.Finish();
  const Json manifest = ReadJsonFile(dir / "attn_maps/layers_manifest.json");
  ASSERT_EQ(manifest["layers"].size(), 2U);
  EXPECT_EQ(manifest["layers"][0]["name"], "layer_02");
  EXPECT_EQ(manifest["layers"][1]["index"], 2);
}

}  // namespace
}  // namespace vggt
