// SPDX-License-Identifier: Apache-2.0
#include "capture/capture_options.h"

#include <gtest/gtest.h>

namespace vggt {
namespace {

TEST(CaptureOptions, ErrorsNameTheOption) {
  const OptionError error("stride_h", "0 is no stride", "Give 1 or more.");
  EXPECT_STREQ(error.what(), "`stride_h`: 0 is no stride. Give 1 or more.");
  EXPECT_EQ(error.option(), "stride_h");
  EXPECT_EQ(OptionError("capture", "there are none", "", "encoder").where(), "`capture` encoder");
  const LayerError layer(7, {1, 2, 3, 4, 5, 6});
  EXPECT_STREQ(layer.what(), "`layers`: there is no layer 7 in this model, which has 1 to 6");
  EXPECT_EQ(layer.option(), "layers");
  EXPECT_EQ(layer.layer(), 7);
  EXPECT_EQ(layer.layers(), "1 to 6");
}

TEST(CaptureOptions, NumbersAreWordsOfAnyLength) {
  EXPECT_EQ(NumbersText({}), "none");
  EXPECT_EQ(NumbersText({4}), "4");
  EXPECT_EQ(NumbersText({1, 2}), "1 to 2");
  EXPECT_EQ(NumbersText({6, 8, 10, 12}), "6, 8, 10, 12");
  EXPECT_EQ(NumbersText({2, 4, 6, 8, 10}), "2, 4, 6 to 10");
  EXPECT_EQ(NumbersText({1, 2, 4, 5, 6}), "1, 2, 4, 5, 6");
}

// The demonstration: the bundled model on five pictures of a folder.
TEST(CaptureOptions, DefaultsAskForTheClassicMaps) {
  const CaptureOptions options;
  EXPECT_EQ(std::get<PictureFolder>(options.input).num_images, 5);
  EXPECT_TRUE(options.heatmaps);
  EXPECT_TRUE(options.capture.empty());
  EXPECT_FALSE(options.save_per_head || options.overwrite || options.precision);
}

}  // namespace
}  // namespace vggt
