// SPDX-License-Identifier: Apache-2.0
#include "capture/layer_list.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(LayerList, SingleLayersAndRanges) {
  EXPECT_THAT(ParseLayerList("", 3), ElementsAre(true, true, true));
  EXPECT_THAT(ParseLayerList("2", 3), ElementsAre(false, true, false));
  EXPECT_THAT(ParseLayerList("1,3-4", 5), ElementsAre(true, false, true, true, false));
  EXPECT_THAT(ParseLayerList("2-3,1-2", 3), ElementsAre(true, true, true));
}

TEST(LayerList, AnythingElseIsRefused) {
  for (const char* text : {"0", "4", "-1", "1-", "-", "2-1", "1,,2", "1,", "a", "1.5", " 1",
                           "99999999999999999999", "1-2-3"}) {
    EXPECT_THAT(testing::ErrorOf([&] { return ParseLayerList(text, 3); }),
                HasSubstr("has 1 to 3. Write single layers and ranges"))
        << text;
  }
}

}  // namespace
}  // namespace vggt
