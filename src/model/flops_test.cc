// SPDX-License-Identifier: Apache-2.0
#include "model/flops.h"

#include <gtest/gtest.h>

#include "model/synthetic.h"

namespace vggt {
namespace {

TEST(Flops, OfVggt1bByHand) {
  const ModelConfig& config = SyntheticPresets().front().config;
  // A block's dense part is 24·1024² per token; attention 4·N·1024 per query.
  const double dense = 24.0 * 1024 * 1024, n = 930;
  const double projection = 2.0 * 925 * 588 * 1024;
  const double encoder = 24 * (dense * n + 4 * 1024 * n * n);
  for (const int s : {1, 5}) {
    const double global = dense * s * n + 4.0 * 1024 * s * n * s * n;
    const double all = s * (projection + 2 * encoder) + 23 * global + 4.0 * 1024 * 1024 * s * n;
    EXPECT_NEAR(ForwardFlops(config, s, 25, 37, 23) / all, 1, 1e-12);
  }
  EXPECT_NEAR(ForwardFlops(config, 5, 25, 37, 23), 11.2e12, 0.05e12);
}

TEST(Flops, LaterLayersCostMore) {
  const ModelConfig& config = SyntheticPresets().front().config;
  EXPECT_LT(ForwardFlops(config, 2, 25, 37, 0), ForwardFlops(config, 2, 25, 37, 1));
  const double encoder = 2 * (2.0 * 925 * 588 + 24 * (24.0 * 1024 * 930 + 4.0 * 930 * 930)) * 1024;
  EXPECT_NEAR(ForwardFlops(config, 2, 25, 37, -1) / encoder, 1, 1e-12);
}

}  // namespace
}  // namespace vggt
