// SPDX-License-Identifier: Apache-2.0
// Tests of the slow twins themselves, against numbers worked out by hand.
#include "ops/reference.h"

#include <gmock/gmock.h>

#include <cmath>
#include <vector>

namespace vggt::reference {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;

TEST(Reference, Linear) {
  const float x[] = {1, 2}, weight[] = {3, 4, 5, 6}, bias[] = {0.5F, -1};
  float y[2];
  Linear(1, 2, 2, x, weight, bias, y);
  EXPECT_THAT(y, ElementsAre(11.5F, 16.0F));
}

TEST(Reference, Gelu) {
  EXPECT_EQ(Gelu(0), 0);
  EXPECT_NEAR(Gelu(1), 0.841344746, 1e-9);
  EXPECT_NEAR(Gelu(-1), -0.158655254, 1e-9);
}

TEST(Reference, LayerNorm) {
  const float x[] = {1, 3}, weight[] = {1, 2}, bias[] = {0, 10};
  float y[2];
  LayerNorm(1, 2, x, weight, bias, 0, y);
  EXPECT_THAT(y, ElementsAre(-1.0F, 12.0F));
}

TEST(Reference, Rope) {
  float x[] = {1, 0, 0, 1};
  const int32_t position[] = {0, 1};
  Rope(1, 1, 4, 4, position, x);
  EXPECT_THAT(x, ElementsAre(FloatNear(1, 1e-6F), FloatNear(0, 1e-6F),
                             FloatNear(-std::sin(1.0F), 1e-6F), FloatNear(std::cos(1.0F), 1e-6F)));
}

TEST(Reference, Attention) {
  // Two tokens, one head of one channel: the logits of token 0 are 0 and ln 3.
  const AttentionShape shape{.batch = 1, .tokens = 2, .heads = 1, .head_dim = 1, .token_stride = 1};
  const float q[] = {1, 0}, k[] = {0, std::log(3.0F)}, v[] = {8, 4};
  float out[2], probed[1];
  const int32_t rows[] = {0}, keys[] = {1};
  Attention(shape, q, k, v, out);
  ProbeAttention(shape, q, k, {rows, keys, false, probed});
  EXPECT_THAT(out, ElementsAre(FloatNear(5, 1e-5F), FloatNear(6, 1e-5F)));
  EXPECT_EQ(probed[0], 1);
}

}  // namespace
}  // namespace vggt::reference
