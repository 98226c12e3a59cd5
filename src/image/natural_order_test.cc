// SPDX-License-Identifier: Apache-2.0
#include "image/natural_order.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <vector>

namespace vggt {
namespace {

using ::testing::ElementsAreArray;

TEST(NaturalOrder, CountsAsPeopleDo) {
  const std::vector<std::string> expected = {"",
                                             "1.png",
                                             "02.png",
                                             "2.png",
                                             "2a.png",
                                             "10.png",
                                             "A1",
                                             "frame",
                                             "frame_",
                                             "frame_0.png",
                                             "frame_000.png",
                                             "frame_1.png",
                                             "frame_1_9.png",
                                             "frame_1_10.png",
                                             "frame_002.png",
                                             "frame_2.png",
                                             "frame_10.png",
                                             "frame_9999999999999999999999999.png",
                                             "frame_10000000000000000000000000.png",
                                             "frame_a.png",
                                             "\xC3\xA4.png"};
  std::vector<std::string> sorted(expected.rbegin(), expected.rend());
  std::ranges::sort(sorted, ComesNaturallyBefore);
  EXPECT_THAT(sorted, ElementsAreArray(expected));
}

// Of two different words exactly one comes first, for all words of up to four of these characters.
// So sorting gives the same order from any start.
TEST(NaturalOrder, IsTotal) {
  std::vector<std::string> names = {""};
  for (size_t i = 0; i < names.size() && names[i].size() < 4; ++i) {
    for (const char c : {'0', '1', 'a', '-'}) names.push_back(names[i] + c);
  }
  for (const std::string& a : names) {
    EXPECT_FALSE(ComesNaturallyBefore(a, a)) << a;
    for (const std::string& b : names) {
      if (a == b) continue;
      EXPECT_NE(ComesNaturallyBefore(a, b), ComesNaturallyBefore(b, a)) << a << ' ' << b;
    }
  }
  std::ranges::sort(names, ComesNaturallyBefore);
  for (size_t i = 0; i < names.size(); ++i) {
    for (size_t k = i + 1; k < names.size(); ++k) {
      EXPECT_TRUE(ComesNaturallyBefore(names[i], names[k])) << names[i] << ' ' << names[k];
    }
  }
}

}  // namespace
}  // namespace vggt
