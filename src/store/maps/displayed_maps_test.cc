// SPDX-License-Identifier: Apache-2.0
#include "store/maps/displayed_maps.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

namespace vggt {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

TEST(DisplayedMaps, MeanIsRenormalisedByItsOwnPercentile) {
  MeanOfHeads mean(3);
  mean.AddLevels(std::vector<uint8_t>{0, 255, 51}, 0.5);
  mean.AddLevels(std::vector<uint8_t>{255, 255, 0}, 0.1);
  // 0.05, 0.3, 0.05: the percentile lies 0.98 of the way from 0.05 to 0.3.
  std::vector<uint8_t> levels(3);
  EXPECT_NEAR(mean.Finish(levels), 0.05 + 0.98 * 0.25, 1e-7);
  EXPECT_THAT(levels, ElementsAre(43, 255, 43));
}

TEST(DisplayedMaps, WithoutAPercentileTheMaximumCounts) {
  std::vector<float> values(1000);
  std::vector<uint8_t> levels(1000);
  values[7] = 0.25F;
  values[8] = 0.5F;
  MeanOfHeads some(1000);
  some.AddRaw(values);
  EXPECT_NEAR(some.Finish(levels), 0.5, 1e-7);
  EXPECT_EQ(levels[7], 128);
  EXPECT_EQ(levels[8], 255);
  MeanOfHeads none(1000);
  none.AddRaw(std::vector<float>(1000));
  EXPECT_EQ(none.Finish(levels), 1e-8);
  EXPECT_THAT(levels, Each(0));
}

TEST(DisplayedMaps, WhatIsNoAttentionCountsAsZero) {
  const float inf = std::numeric_limits<float>::infinity();
  const float raw[] = {0.5F, std::nanf(""), inf, -inf, -1, 2e30F, 0.25F};
  std::vector<float> out(7);
  ReadRaw({reinterpret_cast<const uint8_t*>(raw), sizeof(raw)}, DType::kF32, out);
  EXPECT_THAT(out, ElementsAre(0.5F, 0, 0, 0, 0, 0, 0.25F));
  const uint16_t half[] = {0x3800, 0x7E00, 0x7C00, 0x3400};
  out.resize(4);
  ReadRaw({reinterpret_cast<const uint8_t*>(half), sizeof(half)}, DType::kF16, out);
  EXPECT_THAT(out, ElementsAre(0.5F, 0, 0, 0.25F));
}

}  // namespace
}  // namespace vggt
