// SPDX-License-Identifier: Apache-2.0
#include "render/colormap.h"

#include <gtest/gtest.h>

namespace vggt {
namespace {

// Some of the 256 colours that matplotlib.cm.jet(step, bytes=True) gives.
TEST(Colormap, JetIsMatplotlibs) {
  const auto near = [](int step, Rgb expected) {
    const Rgb got = JetColour(static_cast<float>(step) / 255);
    for (int c = 0; c < 3; ++c) EXPECT_NEAR(got[c], expected[c], 1) << step << " channel " << c;
  };
  near(0, {0, 0, 128});
  near(64, {0, 128, 255});
  near(128, {124, 255, 121});
  near(192, {255, 148, 0});
  near(255, {128, 0, 0});
}

TEST(Colormap, OutsideCountsAsTheEnds) {
  EXPECT_EQ(JetColour(-3), JetColour(0));
  EXPECT_EQ(JetColour(7), JetColour(1));
}

}  // namespace
}  // namespace vggt
