// SPDX-License-Identifier: Apache-2.0
#include "store/maps/layer_maps.h"

#include <gmock/gmock.h>

namespace vggt {
namespace {

using ::testing::ElementsAre;

// 1 query, 2 heads, 1 frame of 1 × 2 patches.
constexpr MapExtents kExtents{1, 2, 1, 1, 2};
constexpr float kPerHead[] = {0.1F, 0.9F, 0.4F, 0.6F};

TEST(LayerMaps, PerHeadScalesEachHeadByItsOwn) {
  const LayerMaps maps = QuantizeLayer(kPerHead, kExtents, true);
  EXPECT_EQ(maps.shape(), (Shape{1, 2, 1, 1, 2}));
  ASSERT_EQ(maps.per_head_vmax99.size(), 2U);
  EXPECT_NEAR(maps.per_head_vmax99[0], 0.1 + 0.99 * 0.8, 1e-7);
  EXPECT_NEAR(maps.per_head_vmax99[1], 0.4 + 0.99 * 0.2, 1e-7);
  EXPECT_NEAR(maps.layer_vmax99, 0.6 + 0.97 * 0.3, 1e-7);
  // 0.1 / 0.892 · 255 = 28.6; 0.4 / 0.598 · 255 = 170.6
  EXPECT_THAT(maps.levels, ElementsAre(29, 255, 171, 255));
}

TEST(LayerMaps, AveragedScalesByTheLayer) {
  const MapExtents extents{2, 2, 1, 1, 2};  // two queries, heads averaged already
  const LayerMaps maps = QuantizeLayer(kPerHead, extents, false);
  EXPECT_EQ(maps.shape(), (Shape{2, 1, 1, 2}));
  EXPECT_TRUE(maps.per_head_vmax99.empty());
  EXPECT_NEAR(maps.layer_vmax99, 0.891, 1e-7);
  EXPECT_THAT(maps.levels, ElementsAre(29, 255, 114, 172));
}

}  // namespace
}  // namespace vggt
