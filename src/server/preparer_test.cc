// SPDX-License-Identifier: Apache-2.0
#include "server/preparer.h"

#include "export_testing.h"

namespace vggt {
namespace {

using testing::CopyExport;
using testing::TestDir;

TEST(Preparer, AsManyLayersAsFit) {
  std::vector<MapLayer> layers(3);
  for (MapLayer& layer : layers) {
    layer.metadata.frames = 2;
    layer.metadata.H_ds = layer.metadata.W_ds = 10;
    layer.metadata.per_head_data = true;
    layer.metadata.num_heads = 4;  // 80,000 bytes inflated
  }
  EXPECT_EQ(LayersThatFit(layers, 79'999), 0U);
  EXPECT_EQ(LayersThatFit(layers, 80'000), 1U);
  EXPECT_EQ(LayersThatFit(layers, 239'999), 2U);
  EXPECT_EQ(LayersThatFit(layers, 1'000'000), 3U);
  layers[2].metadata.normalized_by = "none";
  EXPECT_EQ(LayersThatFit(layers, 319'999), 0U);
  layers[2].metadata.H_ds = 1'000'000'000;
  EXPECT_EQ(LayersThatFit(layers, uint64_t{1} << 40), 0U);
}

TEST(Preparer, EndsWhereverItIs) {
  const TestDir dir;
  const auto damaged = CopyExport(dir, "conv_per_head", "a");
  std::filesystem::resize_file(damaged / "attn_maps/layer_03/heatmaps_uint8.npz", 100);
  ExportCatalog catalog(dir.path());
  { const Preparer idle(catalog); }
  catalog.Open("a");
  for (int i = 0; i < 20; ++i) {
    const Preparer preparer(catalog);
    if (i % 3 == 0) catalog.Open("a");
  }
  EXPECT_EQ(catalog.Get("")->id, "a");
}

}  // namespace
}  // namespace vggt
