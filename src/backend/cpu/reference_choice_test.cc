// SPDX-License-Identifier: Apache-2.0
// Against the specification it is held with a whole model: tests/families_test.cc.
#include "backend/cpu/reference_choice.h"

#include <gtest/gtest.h>

#include <vector>

namespace vggt {
namespace {

constexpr int64_t kDim = 4;

// A special token of each frame, and a patch that does not count.
int64_t Choose(const std::vector<std::vector<float>>& tokens) {
  std::vector<float> x;
  for (const std::vector<float>& token : tokens) {
    x.insert(x.end(), token.begin(), token.end());
    x.insert(x.end(), {1e3F, -7, 0, 1});
  }
  return ChooseReference({static_cast<int64_t>(tokens.size()), 1, 1, 1}, x.data(), kDim);
}

TEST(ReferenceChoice, IsTheFrameInTheMiddle) {
  // Between two directions and two lengths.
  const std::vector<float> one = {2, 0, 0, 0}, middle = {3, 0.9F, 0, 0}, other = {4, 4, 0, 0};
  EXPECT_EQ(Choose({one, middle, other}), 1);
  EXPECT_EQ(Choose({middle, other, one}), 0);
  EXPECT_EQ(Choose({one, other, one, middle}), 3);
}

TEST(ReferenceChoice, OfEqualFramesTheFirst) {
  const std::vector<float> token = {1, 2, 3, 4};
  EXPECT_EQ(Choose({token, token, token}), 0);
}

TEST(ReferenceChoice, NeedsThreeFrames) {
  EXPECT_EQ(Choose({{2, 0, 0, 0}, {3, 0.9F, 0, 0}}), 0);
  EXPECT_EQ(Choose({{2, 0, 0, 0}}), 0);
}

}  // namespace
}  // namespace vggt
